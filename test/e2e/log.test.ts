import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startGateway } from "../support/gateway.ts";
import { plantSecret } from "../support/secrets.ts";
import { deadUrl, eventually, type Stack, startStack } from "./stack.ts";

let stack: Stack;

beforeAll(async () => {
  const dead = await deadUrl();
  stack = await startStack(startGateway, {
    policy: {
      m2mScope: "zen/m2m",
      routes: [
        { path: "/pub/:thing/*", access: "public" },
        { path: "/reported/*", mode: "report" },
        { path: "/dead/*", access: "public", origin: "dead" },
        { path: "/v1/*" },
      ],
    },
    varsOf: () => ({ ORIGINS: { dead }, CORS_ORIGINS: ["https://app.example.com"] }),
  });
  await (await stack.gateway.kv("M2M_TENANTS")).put("machine-1", '["acme"]');
});
afterAll(() => stack?.close());

const SUB = "b1c2d3e4-0000-4000-8000-000000000001";
/** What every line has. */
const always = {
  event: "decision",
  request_id: expect.stringMatching(/^[\w-]{8,128}$/),
  edge_ms: expect.any(Number),
  colo: expect.any(String),
};
/** What a line has once the token's signature holds. */
const ofPerson = { caller: "user", sub: SUB, client_id: "app-client", kid: "k1", token_use: "id" };

describe("the one line of each request has exactly the contract's members", () => {
  it("forwarded, of a person", async () => {
    const response = await stack.call("/v1/orders/7?q=1", { token: await stack.id() });
    expect(await stack.lineOf(response)).toEqual({
      ...always,
      ...ofPerson,
      method: "GET",
      route: "/v1/*",
      decision: "forward",
      status: 200,
      tenant: "acme",
      jwks: expect.stringMatching(/^(?:memory|origin)$/),
      origin_ms: expect.any(Number),
    });
  });

  it("forwarded, of a machine", async () => {
    const response = await stack.call("/v1/x", {
      method: "POST",
      token: await stack.machine(),
      tenant: "acme",
    });
    expect(await stack.lineOf(response)).toEqual({
      ...always,
      method: "POST",
      route: "/v1/*",
      decision: "forward",
      status: 200,
      caller: "m2m",
      sub: "machine-1",
      client_id: "machine-1",
      kid: "k1",
      token_use: "access",
      tenant: "acme",
      jwks: "memory",
      origin_ms: expect.any(Number),
    });
  });

  it("forwarded, public: nobody is named, and the route is the pattern", async () => {
    const response = await stack.call("/pub/secret-thing/more", { token: await stack.id(), tenant: "acme" });
    expect(await stack.lineOf(response)).toEqual({
      ...always,
      method: "GET",
      route: "/pub/:thing/*",
      decision: "forward",
      status: 200,
      origin_ms: expect.any(Number),
    });
  });

  it("the status is the origin's where it was asked", async () => {
    stack.origin.handler = (_request, response) => response.writeHead(409).end();
    const response = await stack.call("/pub/x/y");
    stack.origin.handler = undefined;
    expect(await stack.lineOf(response)).toMatchObject({ decision: "forward", status: 409 });
  });

  it("refused before the signature holds: nothing that the token claims", async () => {
    const token = `${(await stack.id()).slice(0, -8)}AAAAAAAA`;
    const response = await stack.call("/v1/x", { token, tenant: "acme" });
    expect(await stack.lineOf(response)).toEqual({
      ...always,
      method: "GET",
      route: "/v1/*",
      decision: "refuse",
      error: "invalid_signature",
      status: 401,
    });
  });

  it("refused after it: who called, and no tenant that is not verified", async () => {
    const response = await stack.call("/v1/x", { token: await stack.id(), tenant: "globex" });
    expect(await stack.lineOf(response)).toEqual({
      ...always,
      ...ofPerson,
      method: "GET",
      route: "/v1/*",
      decision: "refuse",
      error: "tenant_mismatch",
      status: 403,
      jwks: "memory",
    });
  });

  it("refused without a route", async () => {
    const response = await stack.call("/nowhere");
    expect(await stack.lineOf(response)).toEqual({
      ...always,
      method: "GET",
      decision: "refuse",
      error: "route_not_found",
      status: 404,
    });
  });

  it("refused for the origin's sake: with the time that it was given", async () => {
    const response = await stack.call("/dead/x");
    expect(await stack.lineOf(response)).toEqual({
      ...always,
      method: "GET",
      route: "/dead/*",
      decision: "refuse",
      error: "origin_unreachable",
      status: 502,
      origin_ms: expect.any(Number),
    });
  });

  it("reported: would_have beside it", async () => {
    const response = await stack.call("/reported/x", { token: await stack.id(), tenant: "globex" });
    expect(await stack.lineOf(response)).toEqual({
      ...always,
      ...ofPerson,
      method: "GET",
      route: "/reported/*",
      decision: "report",
      would_have: "tenant_mismatch",
      status: 200,
      jwks: "memory",
      origin_ms: expect.any(Number),
    });
  });

  it("answered: a preflight and an own endpoint", async () => {
    const headers = { origin: "https://app.example.com", "access-control-request-method": "GET" };
    const preflight = await stack.call("/v1/x", { method: "OPTIONS", headers });
    expect(await stack.lineOf(preflight)).toEqual({
      ...always,
      method: "OPTIONS",
      route: "/v1/*",
      decision: "answer",
      status: 204,
    });
    const metadata = await stack.call("/.well-known/oauth-protected-resource");
    expect(await stack.lineOf(metadata)).toEqual({
      ...always,
      method: "GET",
      decision: "answer",
      status: 200,
    });
  });
});

describe("the log", () => {
  it("has one line for each request", async () => {
    const id = crypto.randomUUID();
    await stack.call("/v1/x", { token: await stack.id(), headers: { "x-request-id": id } });
    const last = await stack.call("/nowhere");
    await stack.lineOf(last);
    expect(stack.gateway.decisions().filter((line) => line["request_id"] === id)).toHaveLength(1);
  });

  it("never holds a token, a query, a body, a path or a header's value", async () => {
    const secret = (where: string) => plantSecret(where);
    const path = `/v1/${secret("path")}?q=${secret("query")}`;
    const headers = { cookie: secret("cookie"), "x-custom": secret("header"), "user-agent": secret("agent") };
    const token = await stack.id();
    const responses = [
      await stack.call(path, { method: "POST", token, headers, body: secret("body") }),
      await stack.call(path, { headers: { ...headers, authorization: secret("token") } }),
      await stack.call(path, { token, tenant: secret("tenant"), headers }),
      await stack.call(path.replace("/v1/", "/nowhere/"), { headers }),
    ];
    for (const response of responses) await stack.lineOf(response);
    expect(stack.gateway.output.join("\n")).not.toContain("planted-secret");
  });

  it("has lines of their own for outages, with the issuer", async () => {
    stack.cognito.handler = (_request, response) => response.writeHead(500).end();
    await stack.gateway.runCron();
    stack.cognito.handler = undefined;
    await eventually(() =>
      expect(stack.gateway.logs).toContainEqual({
        event: "jwks_fetch_failed",
        issuer: stack.issuer,
        reason: expect.any(String),
      }),
    );
  });
});
