import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startGateway } from "../support/gateway.ts";
import { sendRequest } from "../support/raw-tcp.ts";
import { type Call, type Claims, type Stack, startStack } from "./stack.ts";

let stack: Stack;

const LISTS: Readonly<Record<string, string>> = {
  "machine-1": '{"tenants":["acme","globex"],"role":"agent"}',
  bare: '["acme"]',
  any: '{"tenants":["*"],"role":"admin"}',
  "any-and-more": '["acme","*"]',
  empty: '{"tenants":[]}',
  "empty-bare": "[]",
  disabled: '{"tenants":["*"],"role":"admin","disabled":true}',
  enabled: '{"tenants":["acme"],"disabled":false}',
  stranger: '{"tenants":["acme"],"role":"emperor"}',
  roleless: '{"tenants":["acme"]}',
};

beforeAll(async () => {
  stack = await startStack(startGateway, {
    policy: {
      roles: ["viewer", "agent", "admin"],
      m2mScope: "zen/m2m",
      routes: [
        { path: "/agent/*", role: "agent" },
        { path: "/admin/*", role: "admin" },
        { path: "/open/*", tenant: false },
        { path: "/tenants/:tenantId/*", tenantParam: "tenantId" },
        { path: "/scoped/*", scopes: ["orders/write"] },
        { path: "/v1/*" },
      ],
    },
  });
  const lists = await stack.gateway.kv("M2M_TENANTS");
  for (const [client, text] of Object.entries(LISTS)) await lists.put(client, text);
});

afterAll(() => stack?.close());

const as = (client: string): Claims => ({ sub: client, client_id: client });
const outcomeOf = async (claims: Claims = {}, call: Call = { tenant: "acme" }, path = "/v1/x") =>
  stack.outcome(path, { token: await stack.machine(claims), ...call });

describe("a machine", () => {
  it("is an access token whose sub is its client_id, without username; it needs no app client's entry", async () => {
    expect(await outcomeOf()).toBe("200");
    const told = Object.entries(stack.origin.last().headers).filter(([name]) =>
      /^x-(?:auth|tenant)/.test(name),
    );
    expect(Object.fromEntries(told)).toEqual({
      "x-auth-caller": "m2m",
      "x-auth-sub": "machine-1",
      "x-auth-tenant-id": "acme",
      "x-tenant-id": "acme",
      "x-auth-role": "agent",
      "x-auth-client-id": "machine-1",
      "x-auth-token-use": "access",
      "x-auth-scope": "zen/m2m",
    });
  });

  it.each([
    ["has a username", { username: "ada" }],
    ["has an empty username", { username: "" }],
    ["has another sub", { sub: "someone" }],
    ["is an ID token", { token_use: "id", aud: "machine-1" }],
  ])("is none where the token %s: its client must be an app client then", async (_what, claims) => {
    expect(await outcomeOf(claims)).toBe("invalid_audience");
  });

  it("gets neither tenant nor role from claims", async () => {
    const claims = { ...as("roleless"), "custom:tenant_id": "acme", "custom:role": "admin" };
    expect(await outcomeOf(claims, {})).toBe("missing_tenant_header");
    expect(await outcomeOf(claims, { tenant: "globex" })).toBe("tenant_not_allowed");
    expect(await outcomeOf(claims, { tenant: "acme" }, "/agent/x")).toBe("insufficient_role");
    expect(await outcomeOf(claims)).toBe("200");
    expect(stack.origin.last().headers["x-auth-role"]).toBeUndefined();
  });

  it("must carry the policy's scope, whole", async () => {
    for (const scope of ["zen/m2m", "a/b zen/m2m"]) expect(await outcomeOf({ scope })).toBe("200");
    for (const scope of ["zen/m2m2", "zen", "", undefined])
      expect(await outcomeOf({ scope })).toBe("insufficient_scope");
  });

  it("must carry a route's scope beside it", async () => {
    const call = { tenant: "acme" };
    expect(await outcomeOf({}, call, "/scoped/x")).toBe("insufficient_scope");
    expect(await outcomeOf({ scope: "zen/m2m orders/write" }, call, "/scoped/x")).toBe("200");
    expect(await outcomeOf({ scope: "orders/write" }, call, "/scoped/x")).toBe("insufficient_scope");
  });
});

describe("the tenant that it acts for", () => {
  it.each([
    ["machine-1", "acme", "200"],
    ["machine-1", "globex", "200"],
    ["machine-1", "initech", "tenant_not_allowed"],
    ["machine-1", "ACME", "tenant_not_allowed"],
    ["machine-1", "*", "tenant_not_allowed"],
    ["bare", "acme", "200"],
    ["bare", "globex", "tenant_not_allowed"],
    ["any", "whoever", "200"],
    ["any-and-more", "whoever", "200"],
    ["empty", "acme", "tenant_not_allowed"],
    ["empty-bare", "acme", "tenant_not_allowed"],
    ["disabled", "acme", "tenant_not_allowed"],
    ["enabled", "acme", "200"],
    ["unlisted", "acme", "tenant_not_allowed"],
    ["constructor", "acme", "tenant_not_allowed"],
    ["x".repeat(600), "acme", "tenant_not_allowed"],
  ])("client %s for tenant %s: %s", async (client, tenant, outcome) => {
    expect(await outcomeOf(as(client), { tenant })).toBe(outcome);
  });

  it.each([
    ["none", []],
    ["an empty one", ["x-tenant-id:"]],
    ["two", ["x-tenant-id: acme", "x-tenant-id: acme"]],
    ["one with a comma", ["x-tenant-id: acme,globex"]],
    ["one with a blank", ["x-tenant-id: ac me"]],
    ["one of 129 characters", [`x-tenant-id: ${"x".repeat(129)}`]],
    ["one beyond ASCII", ["x-tenant-id: \u00e4"]],
    ["one spelled with _", ["x_tenant_id: acme"]],
  ])("must be named by one valid x-tenant-id: %s is missing_tenant_header", async (_what, lines) => {
    const authorization = `Authorization: Bearer ${await stack.machine(as("any"))}`;
    const response = await sendRequest(stack.gateway.url, "/v1/x", [authorization, ...lines]);
    expect([response.status, JSON.parse(response.body).error]).toEqual([400, "missing_tenant_header"]);
  });

  it("may have 128 characters", async () => {
    expect(await outcomeOf(as("any"), { tenant: "x".repeat(128) })).toBe("200");
  });

  it("must be that of the path too, where the route says so", async () => {
    expect(await outcomeOf({}, { tenant: "acme" }, "/tenants/acme/x")).toBe("200");
    expect(await outcomeOf({}, { tenant: "acme" }, "/tenants/globex/x")).toBe("tenant_mismatch");
    expect(await outcomeOf({}, {}, "/tenants/acme/x")).toBe("missing_tenant_header");
  });
});

describe("the role that it acts with", () => {
  it.each([
    ["machine-1", ["200", "insufficient_role"]],
    ["any", ["200", "200"]],
    ["roleless", ["insufficient_role", "insufficient_role"]],
    ["stranger", ["insufficient_role", "insufficient_role"]],
  ])("is the list's: %s on routes for agents and admins: %j", async (client, expected) => {
    const call = { tenant: "acme" };
    const outcomes = [
      await outcomeOf(as(client), call, "/agent/x"),
      await outcomeOf(as(client), call, "/admin/x"),
    ];
    expect(outcomes).toEqual(expected);
  });
});

describe("a route with tenant: false", () => {
  it("lets a listed machine in without x-tenant-id, and tells the API of none", async () => {
    expect(await outcomeOf({}, {}, "/open/x")).toBe("200");
    const { headers } = stack.origin.last();
    expect(headers["x-auth-caller"]).toBe("m2m");
    expect(headers["x-tenant-id"]).toBeUndefined();
    expect(headers["x-auth-tenant-id"]).toBeUndefined();
    expect(headers["x-auth-role"]).toBe("agent");
  });

  it("still verifies the tenant that it names", async () => {
    expect(await outcomeOf({}, { tenant: "acme" }, "/open/x")).toBe("200");
    expect(stack.origin.last().headers["x-tenant-id"]).toBe("acme");
    expect(await outcomeOf({}, { tenant: "initech" }, "/open/x")).toBe("tenant_not_allowed");
    expect(await outcomeOf({}, { tenant: "a b" }, "/open/x")).toBe("missing_tenant_header");
  });

  it("lets no machine in that has no list, a disabled or an empty one", async () => {
    for (const client of ["unlisted", "disabled", "empty", "empty-bare"])
      expect(await outcomeOf(as(client), {}, "/open/x")).toBe("tenant_not_allowed");
  });
});
