import { createRemoteJWKSet, jwtVerify } from "jose";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Cognito } from "../../src/local/cognito.ts";
import { POOL_ID } from "../../src/local/seed.ts";
import { decodePart, startUserPool } from "./user-pool.ts";

const NOW_SECONDS = 1_900_000_000;

let pool: Cognito;

beforeAll(async () => {
  pool = await startUserPool(() => NOW_SECONDS * 1000);
});
afterAll(() => pool.stop());

const getJson = async (url: string): Promise<Record<string, unknown>> => (await fetch(url)).json();

const control = (path: string, method = "POST"): Promise<Response> =>
  fetch(`${pool.url}/_control${path}`, { method });

const mintText = async (query: string): Promise<string> => (await control(`/token?${query}`, "GET")).text();

const verify = (token: string) =>
  jwtVerify(token, createRemoteJWKSet(new URL(pool.jwksUrl)), {
    issuer: pool.issuer,
    algorithms: ["RS256"],
    currentDate: new Date(NOW_SECONDS * 1000),
  });

describe("discovery and JWKS", () => {
  test("serves both under the issuer, and endpoints on the domain, as Cognito does", async () => {
    expect(await getJson(`${pool.issuer}/.well-known/openid-configuration`)).toMatchObject({
      issuer: pool.issuer,
      jwks_uri: `${pool.issuer}/.well-known/jwks.json`,
      authorization_endpoint: `${pool.url}/oauth2/authorize`,
      token_endpoint: `${pool.url}/oauth2/token`,
      id_token_signing_alg_values_supported: ["RS256"],
    });
    expect(pool.issuer).toBe(`${pool.url}/${POOL_ID}`);
  });

  test("shows two public keys, with the members that Cognito's have and no private one", async () => {
    const { keys } = (await getJson(pool.jwksUrl)) as { keys: Record<string, unknown>[] };
    expect(keys).toHaveLength(2);
    for (const key of keys) {
      expect(Object.keys(key).sort()).toEqual(["alg", "e", "kid", "kty", "n", "use"]);
      expect(key).toMatchObject({ alg: "RS256", e: "AQAB", kty: "RSA", use: "sig" });
    }
  });

  test.each([
    "/token",
    "/authorize",
    "/jwks",
    "/userinfo",
    "/introspect",
    "/.well-known/openid-configuration",
    "/x",
  ])("answers 404 to %s, which the library has and Cognito does not", async (path) => {
    expect((await fetch(pool.url + path)).status).toBe(404);
  });
});

describe("tokens", () => {
  test("have a header of exactly kid and alg", async () => {
    for (const query of ["user=ada", "user=ada&use=access", "client=acme_agent"]) {
      const header = decodePart(await mintText(query), 0);
      expect(Object.keys(header).sort()).toEqual(["alg", "kid"]);
      expect(header["alg"]).toBe("RS256");
    }
  });

  test("are signed with one key as ID tokens and with another as access tokens", async () => {
    const kids = await Promise.all(
      ["user=ada", "user=vic", "user=ada&use=access", "client=acme_agent"].map(
        async (query) => decodePart(await mintText(query), 0)["kid"],
      ),
    );
    expect(kids[0]).toBe(kids[1]);
    expect(kids[2]).toBe(kids[3]);
    expect(kids[0]).not.toBe(kids[2]);
  });

  test("verify with the published keys, and not once a byte has changed", async () => {
    const token = await mintText("user=ada");
    await expect(verify(token)).resolves.toBeDefined();
    const [header, payload, signature] = token.split(".");
    const other = payload?.replace(/.$/, (last) => (last === "A" ? "B" : "A"));
    await expect(verify(`${header}.${other}.${signature}`)).rejects.toThrow();
  });

  test("an ID token carries a person's attributes, groups and the app client as aud", async () => {
    const claims = decodePart(await mintText("user=ada"), 1);
    expect(claims).toEqual({
      sub: "a1b2c3d4-0000-4000-8000-000000000001",
      "cognito:groups": ["admins"],
      iss: pool.issuer,
      "cognito:username": "ada",
      origin_jti: expect.any(String),
      aud: "web_app",
      event_id: expect.any(String),
      token_use: "id",
      auth_time: NOW_SECONDS,
      exp: NOW_SECONDS + 3600,
      iat: NOW_SECONDS,
      jti: expect.any(String),
      email: "ada@example.com",
      "custom:tenant_id": "acme",
      "custom:role": "admin",
    });
  });

  test("an ID token for openid and email alone shows no custom attribute", async () => {
    const claims = decodePart(await mintText("user=ada&scope=openid+email"), 1);
    expect(claims).toHaveProperty("email");
    expect(claims).not.toHaveProperty("custom:tenant_id");
  });

  test("a person's access token has client_id, scope and username; no aud, no custom attribute", async () => {
    const claims = decodePart(await mintText("user=vic&use=access&scope=openid"), 1);
    expect(claims).toEqual({
      sub: "a1b2c3d4-0000-4000-8000-000000000002",
      iss: pool.issuer,
      version: 2,
      client_id: "web_app",
      origin_jti: expect.any(String),
      event_id: expect.any(String),
      token_use: "access",
      scope: "openid",
      auth_time: NOW_SECONDS,
      exp: NOW_SECONDS + 3600,
      iat: NOW_SECONDS,
      jti: expect.any(String),
      username: "vic",
    }); // in no group, so without cognito:groups
  });

  test("a machine's access token has its client_id as sub, and nothing of people", async () => {
    const claims = decodePart(await mintText("client=acme_agent"), 1);
    expect(claims).toEqual({
      sub: "acme_agent",
      token_use: "access",
      scope: "zen/m2m zen/reports.read",
      auth_time: NOW_SECONDS,
      iss: pool.issuer,
      exp: NOW_SECONDS + 3600,
      iat: NOW_SECONDS,
      version: 2,
      jti: expect.any(String),
      client_id: "acme_agent",
    });
  });

  test("minted with a negative expires_in have expired, and were issued before that", async () => {
    const { iat, exp } = decodePart(await mintText("user=ada&expires_in=-60"), 1);
    expect(exp).toBe(NOW_SECONDS - 60);
    expect(Number(iat)).toBeLessThan(Number(exp));
  });
});

describe("controls", () => {
  test.each([
    ["an unknown person", "user=nobody"],
    ["an unknown client", "client=nobody"],
    ["a client of people", "client=web_app"],
    ["a scope that the client may not have", "client=acme_agent&scope=zen/admin"],
    ["an unknown kind", "user=ada&use=refresh"],
    ["a lifetime that is no number", "user=ada&expires_in=soon"],
  ])("mint no token for %s", async (_what, query) => {
    const response = await control(`/token?${query}`, "GET");
    expect(response.status).toBe(404);
    expect(await response.json()).toHaveProperty("help");
  });

  test("change nothing on a GET", async () => {
    const kids = pool.published();
    expect((await control("/rotate", "GET")).status).toBe(405);
    expect((await control("/down", "GET")).status).toBe(405);
    expect(pool.published()).toEqual(kids);
    expect(pool.outage()).toBeUndefined();
  });

  test("rotate: new tokens have new keys, and old ones verify no more", async () => {
    const old = await mintText("user=ada");
    const before = pool.published();
    expect((await control("/rotate")).status).toBe(200);
    expect(pool.published()).toHaveLength(2);
    expect(pool.published().filter((kid) => before.includes(kid))).toEqual([]);
    await expect(verify(old)).rejects.toThrow("no applicable key");
    await expect(verify(await mintText("user=ada"))).resolves.toBeDefined();
  });

  test("rotate with keep: both sets verify, and only the new one signs", async () => {
    const old = await mintText("user=ada");
    await control("/rotate?keep=1");
    expect(pool.published()).toHaveLength(4);
    await expect(verify(old)).resolves.toBeDefined();
    const fresh = await mintText("user=ada");
    expect(decodePart(fresh, 0)["kid"]).not.toBe(decodePart(old, 0)["kid"]);
    await expect(verify(fresh)).resolves.toBeDefined();
  });

  test("down: 503 to all but the controls, until up", async () => {
    await control("/down");
    expect((await fetch(pool.jwksUrl)).status).toBe(503);
    expect((await fetch(`${pool.url}/oauth2/token`, { method: "POST" })).status).toBe(503);
    expect(await (await control("", "GET")).json()).toMatchObject({ state: "unavailable" });
    expect((await mintText("user=ada")).split(".")).toHaveLength(3);
    expect(await (await control("/up")).json()).toMatchObject({ state: "up" });
    expect((await fetch(pool.jwksUrl)).status).toBe(200);
  });

  test("down by dropping: connections end without an answer, until up", async () => {
    await control("/down?how=dropped");
    await expect(fetch(pool.jwksUrl)).rejects.toThrow();
    await control("/up");
    expect((await fetch(pool.jwksUrl)).status).toBe(200);
  });
});
