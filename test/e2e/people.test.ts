import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { signRaw } from "../support/forge.ts";
import { startGateway } from "../support/gateway.ts";
import { sendRequest } from "../support/raw-tcp.ts";
import { idClaims } from "../support/tokens.ts";
import { type Call, type Claims, nowSeconds, poolOf, type Stack, startStack } from "./stack.ts";

const RESOURCE = "https://api.example.com/orders";
const SUB = "b1c2d3e4-0000-4000-8000-000000000001";

let stack: Stack;
/** Tolerant of late tokens and of none that are early, with a pool that is bound to a resource. */
let tolerant: Stack;

beforeAll(async () => {
  const policy = {
    roles: ["viewer", "admin"],
    routes: [{ path: "/pub/*", access: "public" }, { path: "/open/*", tenant: false }, { path: "/v1/*" }],
  };
  stack = await startStack(startGateway, {
    policy,
    varsOf: ({ cognito }) => ({
      USER_POOLS: [poolOf(cognito, "us-east-2_Test1", { client_ids: ["app-client", "second"] })],
    }),
  });
  tolerant = await startStack(startGateway, {
    policy,
    varsOf: ({ cognito }) => ({
      EXP_TOLERANCE_SECONDS: "300",
      SKEW_TOLERANCE_SECONDS: 0,
      USER_POOLS: [poolOf(cognito, "us-east-2_Test1", { resources: [RESOURCE, "https://other.example/"] })],
    }),
  });
});

afterAll(async () => {
  await stack?.close();
  await tolerant?.close();
});

const outcomeOf = async (claims: Claims = {}, call: Call = {}, path = "/v1/x") =>
  stack.outcome(path, { token: await stack.id(claims), ...call });
const accessOutcomeOf = async (claims: Claims = {}) =>
  stack.outcome("/open/x", { token: await stack.access(claims) });

/** What the API was told of the caller. */
const told = (of: Stack = stack): Record<string, string> =>
  Object.fromEntries(
    Object.entries(of.origin.last().headers).filter(([name]) => /^x[-_](?:auth|tenant)/.test(name)),
  );

describe("the identity that the API is given", () => {
  it("of an ID token", async () => {
    expect(await outcomeOf({ "cognito:groups": ["ops", "audit"] })).toBe("200");
    expect(told()).toEqual({
      "x-auth-caller": "user",
      "x-auth-sub": SUB,
      "x-auth-tenant-id": "acme",
      "x-tenant-id": "acme",
      "x-auth-role": "admin",
      "x-auth-client-id": "app-client",
      "x-auth-token-use": "id",
      "x-auth-groups": "ops,audit",
      "x-auth-username": "ada",
    });
  });

  it("of an access token", async () => {
    expect(await accessOutcomeOf({ "cognito:username": "eve", username: "ada" })).toBe("200");
    expect(told()).toEqual({
      "x-auth-caller": "user",
      "x-auth-sub": SUB,
      "x-auth-client-id": "app-client",
      "x-auth-token-use": "access",
      "x-auth-scope": "openid profile",
      "x-auth-username": "ada",
    });
  });

  it("takes the user name of an ID token from cognito:username alone", async () => {
    expect(await outcomeOf({ "cognito:username": undefined, username: "eve" })).toBe("200");
    expect(told()["x-auth-username"]).toBeUndefined();
  });

  it("percent-encodes all but visible ASCII, and % and , inside an item", async () => {
    await outcomeOf({
      "cognito:username": "Zoë, 100%",
      "cognito:groups": ["a,b", "ops team", "ü"],
      "custom:role": "no such role\r\nx-auth-role: admin",
    });
    expect(told()).toMatchObject({
      "x-auth-username": "Zo%C3%AB%2C%20100%25",
      "x-auth-groups": "a%2Cb,ops%20team,%C3%BC",
      "x-auth-role": "no%20such%20role%0D%0Ax-auth-role:%20admin",
    });
  });

  it("is the verified one alone, however the caller spells another", async () => {
    const response = await sendRequest(stack.gateway.url, "/v1/x", [
      `Authorization: Bearer ${await stack.id()}`,
      "X-Auth-Sub: eve",
      "X-AUTH-ROLE: owner",
      "X_Auth_Tenant_Id: globex",
      "x-auth_role: owner",
      "X-Auth-Anything: else",
      "X_Tenant_Id: globex",
      "X-Tenant-Id: acme",
    ]);
    expect(response.status).toBe(200);
    expect(told()).toMatchObject({ "x-auth-sub": SUB, "x-auth-role": "admin", "x-tenant-id": "acme" });
    const lines = stack.origin.last().rawHeaders.map(([name]) => name);
    const own = lines.filter((name) => /^x[-_](?:auth|tenant)/.test(name));
    expect(own.length).toBe(new Set(own).size);
    expect(own.some((name) => name.includes("_") || name === "x-auth-anything")).toBe(false);
  });

  it("does not come with public routes, where x-tenant-id passes as the caller's own word", async () => {
    const headers = { "x-auth-sub": "eve", x_auth_role: "owner", x_tenant_id: "globex" };
    expect(await stack.outcome("/pub/x", { tenant: "acme", headers })).toBe("200");
    expect(told()).toMatchObject({ "x-tenant-id": "acme" });
    expect(Object.keys(told()).filter((name) => name.includes("auth"))).toEqual([]);
  });
});

describe("the token", () => {
  it("is taken as Bearer in any case, or bare", async () => {
    const token = await stack.id();
    for (const authorization of [`Bearer ${token}`, `bearer ${token}`, `BEARER ${token}`, token])
      expect(await stack.outcome("/v1/x", { headers: { authorization } })).toBe("200");
  });

  it("is looked for nowhere else", async () => {
    const token = await stack.id();
    expect(await stack.outcome(`/v1/x?access_token=${token}&token=${token}`)).toBe("missing_token");
    expect(await stack.outcome("/v1/x", { headers: { cookie: `token=${token}` } })).toBe("missing_token");
    expect(await stack.outcome("/v1/x", { headers: { "x-auth-token": token } })).toBe("missing_token");
    expect(
      await stack.outcome("/v1/x", {
        method: "POST",
        body: `access_token=${token}`,
        headers: { "content-type": "application/x-www-form-urlencoded" },
      }),
    ).toBe("missing_token");
  });

  it("is malformed as anything but one JWS in compact form", async () => {
    const token = await stack.id();
    const [header = "", payload = "", signature = ""] = token.split(".");
    for (const authorization of [
      "Bearer",
      "Bearer x",
      `Basic ${token}`,
      `Bearer Bearer ${token}`,
      `Bearer ${token} ${token}`,
      `Bearer ${token}, Bearer ${token}`,
      `Bearer ${header}.${payload}`,
      `Bearer ${token}.x`,
      `Bearer ${header}.${payload}.`,
      `Bearer ${header}.${payload}=.${signature}`,
      `Bearer ${header}.${payload}.${signature}==`,
      `Bearer ${header}.W10.${signature}`,
      `Bearer ${header}.${payload.slice(0, -1)}!.${signature}`,
    ])
      expect([authorization, await stack.outcome("/v1/x", { headers: { authorization } })]).toEqual([
        authorization,
        "malformed_token",
      ]);
  });

  it.each([
    ["alg none", { alg: "none" }],
    ["alg HS256", { alg: "HS256" }],
    ["alg RS512", { alg: "RS512" }],
    ["alg in another case", { alg: "rs256" }],
    ["no kid", { kid: undefined }],
    ["a kid that is no text", { kid: 1 }],
    ["a kid that nobody publishes", { kid: "k2" }],
    ["crit", { crit: ["exp"] }],
    ["an empty crit", { crit: [] }],
  ])("whose header has %s is invalid_signature", async (_what, header) => {
    const claims = idClaims(stack.issuer, nowSeconds());
    const token = await signRaw(stack.key, { alg: "RS256", kid: "k1", ...header }, claims);
    expect(await stack.outcome("/v1/x", { token })).toBe("invalid_signature");
  });

  it("may name keys of its own: they are never followed", async () => {
    const header = {
      alg: "RS256",
      kid: "k1",
      jku: "http://127.0.0.1:9/",
      x5u: "http://127.0.0.1:9/",
      typ: "JWT",
    };
    const token = await signRaw(stack.key, header, idClaims(stack.issuer, nowSeconds()));
    expect(await stack.outcome("/v1/x", { token })).toBe("200");
  });

  it("is malformed in two Authorization lines", async () => {
    const line = `Authorization: Bearer ${await stack.id()}`;
    const response = await sendRequest(stack.gateway.url, "/v1/x", [line, line]);
    expect(JSON.parse(response.body).error).toBe("malformed_token");
  });

  it("may have 8,192 characters, and not 8,193", async () => {
    const ofLength = async (length: number): Promise<string> => {
      const bare = (await stack.id({ pad: "" })).length;
      for (let pad = Math.floor(((length - bare) * 3) / 4) - 4; ; pad += 1) {
        const token = await stack.id({ pad: "a".repeat(pad) });
        if (token.length >= length) return token;
      }
    };
    const longest = await ofLength(8191);
    expect(longest.length).toBeLessThanOrEqual(8192);
    expect(await stack.outcome("/v1/x", { token: longest })).toBe("200");
    const tooLong = await ofLength(8193);
    expect(tooLong.length).toBeLessThan(8198);
    expect(await stack.outcome("/v1/x", { token: tooLong })).toBe("malformed_token");
  });

  it.each([
    ["exp", undefined],
    ["exp", "9999999999"],
    ["exp", null],
    ["iat", undefined],
    ["iat", "1"],
    ["sub", undefined],
    ["sub", 7],
    ["token_use", undefined],
    ["token_use", ["id"]],
    ["nbf", "soon"],
  ])("with %s %j is invalid_claims", async (claim, value) => {
    expect(await outcomeOf({ [claim]: value })).toBe("invalid_claims");
  });

  it("may hold times with fractions", async () => {
    const now = nowSeconds();
    expect(await outcomeOf({ exp: now + 60.5, iat: now - 0.25, nbf: now - 1.5 })).toBe("200");
  });
});

describe("time", () => {
  it("without tolerance, a token ends at its exp", async () => {
    expect(await outcomeOf({ exp: nowSeconds() })).toBe("token_expired");
    expect(await outcomeOf({ exp: nowSeconds() + 30 })).toBe("200");
  });

  it("with tolerance, it passes until then, and not from then on", async () => {
    const withExp = async (exp: number) => tolerant.outcome("/v1/x", { token: await tolerant.id({ exp }) });
    expect(await withExp(nowSeconds() - 270)).toBe("200");
    expect(await withExp(nowSeconds() - 300)).toBe("token_expired");
  });

  it("iat and nbf may lie 30 seconds in the future, or as SKEW_TOLERANCE_SECONDS says", async () => {
    for (const claim of ["iat", "nbf"]) {
      expect(await outcomeOf({ [claim]: nowSeconds() + 25 })).toBe("200");
      expect(await outcomeOf({ [claim]: nowSeconds() + 60 })).toBe("token_not_yet_valid");
      const token = await tolerant.id({ [claim]: nowSeconds() + 25 });
      expect(await tolerant.outcome("/v1/x", { token })).toBe("token_not_yet_valid");
    }
  });
});

describe("audience", () => {
  it("is any of the pool's app clients: aud of an ID token, client_id of an access token", async () => {
    expect(await outcomeOf({ aud: "second" })).toBe("200");
    expect(await outcomeOf({ aud: "third" })).toBe("invalid_audience");
    expect(await outcomeOf({ aud: undefined })).toBe("invalid_audience");
    expect(await outcomeOf({ aud: ["app-client"] })).toBe("invalid_audience");
    expect(await outcomeOf({ aud: "third", client_id: "app-client" })).toBe("invalid_audience");
    expect(await accessOutcomeOf({ client_id: "second" })).toBe("200");
    expect(await accessOutcomeOf({ client_id: "third" })).toBe("invalid_audience");
    expect(await accessOutcomeOf({ client_id: undefined, aud: "app-client" })).toBe("invalid_audience");
  });

  it("of an access token's own is not looked at where the pool has no resources", async () => {
    expect(await accessOutcomeOf({ aud: "https://elsewhere.example" })).toBe("200");
  });

  it.each([
    [undefined, "200"],
    ["app-client", "200"],
    [RESOURCE, "200"],
    [["https://elsewhere.example", RESOURCE], "200"],
    ["https://elsewhere.example", "invalid_audience"],
    [[], "invalid_audience"],
    [`${RESOURCE}/`, "invalid_audience"],
    [null, "invalid_audience"],
    [{ 0: RESOURCE }, "invalid_audience"],
  ])("of an access token's own, where it has: %j is %s", async (aud, outcome) => {
    expect(await tolerant.outcome("/open/x", { token: await tolerant.access({ aud }) })).toBe(outcome);
  });

  it("of an ID token has nothing to do with resources", async () => {
    expect(await tolerant.outcome("/v1/x", { token: await tolerant.id() })).toBe("200");
  });
});

describe("tenant", () => {
  it.each([
    ["a", "200"],
    ["x".repeat(128), "200"],
    ["x".repeat(129), "missing_tenant_claim"],
    ["!#$%&'*+./:;<=>?@[]^_`{|}~", "200"],
    ["a,b", "missing_tenant_claim"],
    ["a b", "missing_tenant_claim"],
    ["ä", "missing_tenant_claim"],
    ["", "missing_tenant_claim"],
    [undefined, "missing_tenant_claim"],
    [7, "missing_tenant_claim"],
    [["acme"], "missing_tenant_claim"],
  ])("claim %j is %s", async (tenant, outcome) => {
    expect(await outcomeOf({ "custom:tenant_id": tenant })).toBe(outcome);
  });

  it("that the caller names beside it must be equal", async () => {
    expect(await outcomeOf({}, { tenant: "acme" })).toBe("200");
    expect(await outcomeOf({}, { tenant: "globex" })).toBe("tenant_mismatch");
    expect(await outcomeOf({}, { tenant: "ACME" })).toBe("tenant_mismatch");
    expect(await outcomeOf({}, { tenant: "acme, globex" })).toBe("tenant_mismatch");
  });

  it("named on two lines is a mismatch, be it twice the same", async () => {
    const token = `Authorization: Bearer ${await stack.id()}`;
    for (const second of ["acme", "globex"]) {
      const lines = [token, "x-tenant-id: acme", `x-tenant-id: ${second}`];
      const response = await sendRequest(stack.gateway.url, "/v1/x", lines);
      expect(JSON.parse(response.body).error).toBe("tenant_mismatch");
    }
  });

  it("with a percent sign reaches the API percent-encoded", async () => {
    await outcomeOf({ "custom:tenant_id": "50%" });
    expect(told()).toMatchObject({ "x-tenant-id": "50%25", "x-auth-tenant-id": "50%25" });
  });

  it("of an access token is missing, unless a trigger has put it there", async () => {
    expect(await stack.outcome("/v1/x", { token: await stack.access() })).toBe("missing_tenant_claim");
    const token = await stack.access({ "custom:tenant_id": "acme" });
    expect(await stack.outcome("/v1/x", { token })).toBe("200");
  });
});

describe("FORWARD_AUTHORIZATION", () => {
  it("is on by default: the API gets the caller's own header", async () => {
    const token = await stack.id();
    await stack.outcome("/v1/x", { token });
    expect(stack.origin.last().headers["authorization"]).toBe(`Bearer ${token}`);
  });
});
