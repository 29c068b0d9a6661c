import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startGateway } from "../support/gateway.ts";
import { sendRequest } from "../support/raw-tcp.ts";
import { startOrigin, type TestServer } from "../support/servers.ts";
import { type Call, type Claims, type Stack, startStack } from "./stack.ts";

const PAGE = "https://app.example.com";
const OTHER_PAGE = "https://partner.example.net";

let stack: Stack;
let billing: TestServer;

beforeAll(async () => {
  billing = await startOrigin();
  stack = await startStack(startGateway, {
    policy: {
      roles: ["viewer", "agent", "admin"],
      tenantClaim: "org",
      roleClaim: "rank",
      routes: [
        { path: "/literal/one", access: "public" },
        { path: "/items/:item", access: "public" },
        { path: "/tree/*", access: "public" },
        { path: "/colon/a:b", access: "public" },
        { path: "/plus/a+b/é", access: "public" },
        { path: "/order/first", access: "deny" },
        { path: "/order/:any", access: "public" },
        { path: "/read/*", methods: ["GET"], access: "public" },
        { path: "/write/*", methods: ["POST", "PUT"], access: "public" },
        { path: "/split", methods: ["GET"], access: "public" },
        { path: "/split", methods: ["POST"], access: "deny" },
        { path: "/denied/*", access: "deny" },
        { path: "/people/*", callers: ["user"], tenant: false },
        { path: "/machines/*", callers: ["m2m"], tenant: false },
        { path: "/id/*", tokenUse: ["id"], tenant: false },
        { path: "/access/*", tokenUse: ["access"], tenant: false },
        { path: "/role/viewer", role: "viewer" },
        { path: "/role/agent", role: "agent" },
        { path: "/role/admin", role: "admin" },
        { path: "/scopes", scopes: ["a/read", "a/write"], tenant: false },
        { path: "/groups", groups: ["ops", "audit"], tenant: false },
        { path: "/all", role: "viewer", scopes: ["a/read"], groups: ["ops"], tenant: false },
        { path: "/open/*", tenant: false },
        { path: "/tenants/:tenantId/*", tenantParam: "tenantId" },
        { path: "/open-tenants/:t", tenantParam: "t", tenant: false },
        { path: "/billing/*", access: "public", origin: "billing" },
        { path: "/any-page/*", access: "public", cors: ["*"] },
        { path: "/partner/*", access: "public", cors: [OTHER_PAGE] },
        { path: "/no-page/*", access: "public", cors: [] },
        { path: "/reported/*", role: "admin", mode: "report" },
        { path: "/closed/*" },
        { path: "/", access: "public" },
      ],
    },
    varsOf: () => ({ ORIGINS: { billing: `${billing.url}/stage/` }, CORS_ORIGINS: [PAGE] }),
  });
  await (await stack.gateway.kv("M2M_TENANTS")).put("machine-1", '{"tenants":["acme"]}');
});

afterAll(async () => {
  await stack?.close();
  await billing?.close();
});

const person = (claims: Claims = {}) => stack.id({ org: "acme", rank: "viewer", ...claims });
const outcomeOf = async (path: string, claims: Claims = {}, call: Call = {}) =>
  stack.outcome(path, { token: await person(claims), ...call });

describe("path", () => {
  it.each([
    ["/literal/one", "200"],
    ["/literal/one/", "200"],
    ["/literal/One", "route_not_found"],
    ["/literal", "route_not_found"],
    ["/literal/one/two", "route_not_found"],
    ["/items/7", "200"],
    ["/items/7/", "200"],
    ["/items", "route_not_found"],
    ["/items/", "route_not_found"],
    ["/items/7/8", "route_not_found"],
    ["/tree", "200"],
    ["/tree/", "200"],
    ["/tree/a/b/c", "200"],
    ["/trees", "route_not_found"],
    ["/", "200"],
    ["/%6Citeral/one", "200"],
    ["/colon/a:b", "200"],
    ["/colon/a%3Ab", "200"],
    ["/plus/a+b/%C3%A9", "200"],
    ["/constructor", "route_not_found"],
  ])("%s is %s", async (path, outcome) => {
    expect(await stack.outcome(path)).toBe(outcome);
  });

  it("is forwarded as it was matched: unreserved characters decoded, all else as it came", async () => {
    for (const [sent, received] of [
      ["/tree/%61%2Eb/%7Ex/", "/tree/a.b/~x/"],
      ["/tree/a%3Ab%20c%C3%A9", "/tree/a%3Ab%20c%C3%A9"],
      ["/tree/x/../y", "/tree/y"],
      ["/tree/x/%2e%2E/y", "/tree/y"],
      ["/tree?a=%61&b=/../;%zz&a=2&", "/tree?a=%61&b=/../;%zz&a=2&"],
      ["/tree/a@b,c$d!e'f(g)*+=", "/tree/a@b,c$d!e'f(g)*+="],
    ] as const) {
      const response = await sendRequest(stack.gateway.url, sent);
      expect([sent, response.status]).toEqual([sent, 200]);
      expect(stack.origin.last().target).toBe(received);
    }
  });

  it.each([
    "/tree//a",
    "//tree/a",
    "/tree/a;b=1",
    "/tree/%2f",
    "/tree/%5C",
    "/tree/%3F",
    "/tree/%23",
    "/tree/%25",
    "/tree/%3b",
    "/tree/%00",
    "/tree/%7F",
    "/tree/%zz",
    "/tree/%4",
    "/tree/%ff",
    "/tree/%c0%af",
    "/nowhere//",
  ])("%s is refused with 400 invalid_path, whatever the route", async (path) => {
    const before = stack.origin.received.length;
    const response = await sendRequest(stack.gateway.url, path);
    expect([response.status, JSON.parse(response.body).error]).toEqual([400, "invalid_path"]);
    expect(stack.origin.received.length).toBe(before);
  });

  it("that goes up by dot segments out of a public route meets the stricter one", async () => {
    for (const path of ["/tree/../closed/x", "/tree/%2e%2e/closed/x", "/tree/.%2E/closed/x"]) {
      const response = await sendRequest(stack.gateway.url, path);
      expect([path, response.status]).toEqual([path, 401]);
    }
  });
});

describe("the first match wins", () => {
  it("of path", async () => {
    expect(await stack.outcome("/order/first")).toBe("route_denied");
    expect(await stack.outcome("/order/second")).toBe("200");
  });

  it("of path and method together", async () => {
    expect(await stack.outcome("/split")).toBe("200");
    expect(await stack.outcome("/split", { method: "POST" })).toBe("route_denied");
    expect(await stack.outcome("/split", { method: "PUT" })).toBe("route_not_found");
  });
});

describe("methods", () => {
  it("GET also admits HEAD, and nothing else", async () => {
    expect((await stack.call("/read/x", { method: "HEAD" })).status).toBe(200);
    expect(stack.origin.last().method).toBe("HEAD");
    expect(await stack.outcome("/read/x", { method: "POST" })).toBe("route_not_found");
    expect(await stack.outcome("/read/x", { method: "OPTIONS" })).toBe("route_not_found");
  });

  it("that a route names are taken, others are 404", async () => {
    expect(await stack.outcome("/write/x", { method: "PUT" })).toBe("200");
    expect(await stack.outcome("/write/x", { method: "GET" })).toBe("route_not_found");
    expect((await stack.call("/write/x", { method: "HEAD" })).status).toBe(404);
  });

  it("are all of them where a route names none", async () => {
    for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]) {
      expect(await stack.outcome("/tree/x", { method })).toBe("200");
      expect(stack.origin.last().method).toBe(method);
    }
  });
});

describe("access", () => {
  it("public: no token is looked at, whatever it is, and it is passed on", async () => {
    for (const authorization of ["", "Bearer rubbish", "Basic YTpi", `Bearer ${await person({ exp: 1 })}`]) {
      expect(await stack.outcome("/tree/x", { headers: { authorization } })).toBe("200");
      expect(stack.origin.last().headers["authorization"] ?? "").toBe(authorization);
      expect(Object.keys(stack.origin.last().headers).filter((name) => name.startsWith("x-auth"))).toEqual(
        [],
      );
    }
  });

  it("deny: refuses everybody, with a token or without", async () => {
    expect(await stack.outcome("/denied/x")).toBe("route_denied");
    expect(await outcomeOf("/denied/x")).toBe("route_denied");
  });

  it("authenticated is the default", async () => {
    expect(await stack.outcome("/closed/x")).toBe("missing_token");
    expect(await outcomeOf("/closed/x")).toBe("200");
  });
});

describe("callers, tokenUse", () => {
  it("let in the kind that they name", async () => {
    const machine = await stack.machine();
    expect(await outcomeOf("/people/x")).toBe("200");
    expect(await stack.outcome("/people/x", { token: machine })).toBe("caller_not_allowed");
    expect(await stack.outcome("/machines/x", { token: machine })).toBe("200");
    expect(await outcomeOf("/machines/x")).toBe("caller_not_allowed");
    expect(await outcomeOf("/id/x")).toBe("200");
    expect(await outcomeOf("/access/x")).toBe("invalid_token_use");
    expect(await stack.outcome("/access/x", { token: await stack.access() })).toBe("200");
    expect(await stack.outcome("/id/x", { token: await stack.access() })).toBe("invalid_token_use");
    expect(await stack.outcome("/id/x", { token: machine })).toBe("invalid_token_use");
  });

  it("a token_use that is neither is refused on every route", async () => {
    for (const token_use of ["refresh", "ID", ""])
      expect(await outcomeOf("/open/x", { token_use })).toBe("invalid_token_use");
  });
});

describe("role, scopes, groups", () => {
  it.each([
    ["viewer", ["200", "insufficient_role", "insufficient_role"]],
    ["agent", ["200", "200", "insufficient_role"]],
    ["admin", ["200", "200", "200"]],
    ["owner", ["insufficient_role", "insufficient_role", "insufficient_role"]],
    ["Admin", ["insufficient_role", "insufficient_role", "insufficient_role"]],
    [undefined, ["insufficient_role", "insufficient_role", "insufficient_role"]],
    [["admin"], ["insufficient_role", "insufficient_role", "insufficient_role"]],
  ])("role %j opens viewer, agent, admin routes: %j", async (rank, expected) => {
    const outcomes = [];
    for (const role of ["viewer", "agent", "admin"])
      outcomes.push(await outcomeOf(`/role/${role}`, { rank }));
    expect(outcomes).toEqual(expected);
  });

  it.each([
    ["a/read", "200"],
    ["openid a/write email", "200"],
    ["a/readx a", "insufficient_scope"],
    ["A/READ", "insufficient_scope"],
    ["", "insufficient_scope"],
    [undefined, "insufficient_scope"],
    [["a/read"], "insufficient_scope"],
  ])("scope %j on a route for a/read or a/write is %s", async (scope, outcome) => {
    expect(await stack.outcome("/scopes", { token: await stack.access({ scope }) })).toBe(outcome);
  });

  it.each([
    [["ops"], "200"],
    [["x", "audit"], "200"],
    [["Ops"], "insufficient_group"],
    [[], "insufficient_group"],
    ["ops", "insufficient_group"],
    [undefined, "insufficient_group"],
  ])("groups %j on a route for ops or audit is %s", async (groups, outcome) => {
    expect(await outcomeOf("/groups", { "cognito:groups": groups })).toBe(outcome);
  });

  it("are all needed where a route names all", async () => {
    const full = { scope: "a/read", "cognito:groups": ["ops"] };
    expect(await outcomeOf("/all", full)).toBe("200");
    expect(await outcomeOf("/all", { ...full, rank: "" })).toBe("insufficient_role");
    expect(await outcomeOf("/all", { ...full, scope: "x" })).toBe("insufficient_scope");
    expect(await outcomeOf("/all", { ...full, "cognito:groups": [] })).toBe("insufficient_group");
  });
});

describe("tenant, tenantParam, and the claims that hold tenant and role", () => {
  it("tenant: false needs none; one that the caller has is still verified and sent", async () => {
    expect(await outcomeOf("/open/x", { org: undefined })).toBe("200");
    expect(stack.origin.last().headers["x-tenant-id"]).toBeUndefined();
    expect(stack.origin.last().headers["x-auth-tenant-id"]).toBeUndefined();
    expect(await outcomeOf("/open/x")).toBe("200");
    expect(stack.origin.last().headers).toMatchObject({ "x-tenant-id": "acme", "x-auth-tenant-id": "acme" });
    expect(await outcomeOf("/open/x", {}, { tenant: "globex" })).toBe("tenant_mismatch");
    expect(await outcomeOf("/open/x", { org: undefined }, { tenant: "globex" })).toBe("tenant_mismatch");
  });

  it("tenantParam must equal the caller's tenant, percent-decoded", async () => {
    expect(await outcomeOf("/tenants/acme/x")).toBe("200");
    expect(await outcomeOf("/tenants/acme")).toBe("200");
    expect(await outcomeOf("/tenants/globex/x")).toBe("tenant_mismatch");
    expect(await outcomeOf("/tenants/Acme/x")).toBe("tenant_mismatch");
    expect(await outcomeOf("/tenants/%61cme/x")).toBe("200");
    expect(await outcomeOf("/tenants/a%3Ab/x", { org: "a:b" })).toBe("200");
    expect(await outcomeOf("/tenants/a:b/x", { org: "a:b" })).toBe("200");
    expect(await outcomeOf("/tenants/a%3Ab/x", { org: "a%3Ab" })).toBe("tenant_mismatch");
  });

  it("tenantParam refuses who has no tenant, where none is needed too", async () => {
    expect(await outcomeOf("/open-tenants/acme", { org: undefined })).toBe("tenant_mismatch");
    expect(await outcomeOf("/open-tenants/acme")).toBe("200");
  });

  it("tenantClaim and roleClaim name the claims, and the default ones count for nothing then", async () => {
    const token = await stack.access({ org: "globex", rank: "admin" });
    expect(await stack.outcome("/role/admin", { token })).toBe("200");
    expect(stack.origin.last().headers).toMatchObject({
      "x-tenant-id": "globex",
      "x-auth-role": "admin",
      "x-auth-token-use": "access",
    });
    expect(await stack.outcome("/closed/x", { token: await stack.id() })).toBe("missing_tenant_claim");
  });
});

describe("origin, cors, mode", () => {
  it("origin sends the route's requests to the API of that name, under its stage path", async () => {
    const before = stack.origin.received.length;
    expect(await stack.outcome("/billing/x?q=1")).toBe("200");
    expect(billing.last().target).toBe("/stage/billing/x?q=1");
    expect(billing.last().headers["host"]).toBe(new URL(billing.url).host);
    expect(stack.origin.received.length).toBe(before);
  });

  it.each([
    ["/tree/x", PAGE, true],
    ["/tree/x", OTHER_PAGE, false],
    ["/any-page/x", "https://anything.example", true],
    ["/any-page/x", "null", true],
    ["/partner/x", OTHER_PAGE, true],
    ["/partner/x", PAGE, false],
    ["/no-page/x", PAGE, false],
    ["/nowhere", PAGE, true],
    ["/nowhere", OTHER_PAGE, false],
  ])("cors: %s may be read by %s: %s", async (path, origin, isAllowed) => {
    const response = await stack.call(path, { headers: { origin } });
    expect(response.headers.get("access-control-allow-origin")).toBe(isAllowed ? origin : null);
  });

  it("mode: report holds for its own route alone", async () => {
    expect(await stack.outcome("/reported/x")).toBe("200");
    expect(await outcomeOf("/reported/x")).toBe("200");
    expect(stack.origin.last().headers["x-auth-sub"]).toBeUndefined();
    expect(await stack.outcome("/closed/x")).toBe("missing_token");
  });
});
