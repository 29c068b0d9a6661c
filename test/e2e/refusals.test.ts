import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { errorCodes } from "../../src/core/errors.ts";
import { type FaultyGateway, startFaultyGateway } from "../support/faults.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { sendRequest } from "../support/raw-tcp.ts";
import { createSigningKey, idClaims, sign } from "../support/tokens.ts";
import { type Call, deadUrl, lineOf, nowSeconds, poolOf, type Stack, startStack } from "./stack.ts";

const PAGE = "https://app.example.com";
const METADATA = "/.well-known/oauth-protected-resource";

/** A code, its status, and a request that meets it. */
interface Row {
  readonly code: string;
  readonly status: number;
  readonly request: () => Promise<Response>;
  /** The `error` of the challenge; `none`: a challenge without one; absent: no challenge. */
  readonly challenge?: string;
  readonly scope?: string;
  readonly retryAfter?: string;
}

let stack: Stack<FaultyGateway>;
let broken: TestGateway;
let misconfigured: TestGateway;
let dead: string;

const ask = (path: string, call: Call = {}) =>
  stack.call(path, { ...call, headers: { origin: PAGE, ...call.headers } });
const asPerson = async (path: string, claims: Record<string, unknown> = {}, call: Call = {}) =>
  ask(path, { token: await stack.id(claims), ...call });
const asMachine = async (path: string, tenant: string, claims: Record<string, unknown> = {}) =>
  ask(path, { token: await stack.machine(claims), tenant });

beforeAll(async () => {
  dead = await deadUrl();
  const policy = {
    roles: ["viewer", "admin"],
    m2mScope: "zen/m2m",
    routes: [
      { path: "/public/*", access: "public" },
      { path: "/denied/*", access: "deny" },
      { path: "/people/*", callers: ["user"] },
      { path: "/machines/*", callers: ["m2m"] },
      { path: "/access-only/*", tokenUse: ["access"], tenant: false },
      { path: "/tenants/:tenantId/*", tenantParam: "tenantId" },
      { path: "/admin/*", role: "admin" },
      { path: "/scoped/*", scopes: ["api/write", "https://api.example/read"], tenant: false },
      { path: "/grouped/*", groups: ["ops"] },
      { path: "/dead/*", origin: "dead" },
      { path: "/v1/*" },
    ],
  };
  stack = await startStack(startFaultyGateway, {
    policy,
    namespaces: ["JWKS", "M2M_TENANTS", "REVOCATIONS"],
    rateLimits: { PUBLIC_RATE_LIMIT: 1 },
    varsOf: ({ cognito }) => ({
      ORIGINS: { dead },
      ORIGIN_TIMEOUT_MS: 1_500,
      CORS_ORIGINS: [PAGE],
      REALM: "orders api",
      USER_POOLS: [poolOf(cognito), poolOf(dead, "us-east-2_Dead1")],
    }),
  });
  const lists = await stack.gateway.kv("M2M_TENANTS");
  await lists.put("machine-1", '{"tenants":["acme"]}');
  await lists.put("machine-malformed", "nonsense");
  const revocations = await stack.gateway.kv("REVOCATIONS");
  await revocations.put("jti:revoked-jti", "", { metadata: {} });
  await revocations.put("jti:malformed-jti", "", { metadata: { before: "yesterday" } });
  broken = await startGateway({
    policy,
    vars: {
      ORIGIN_URL: stack.origin.url,
      ORIGINS: { dead },
      CORS_ORIGINS: [PAGE],
      USER_POOLS: [poolOf(stack.cognito.url)],
    },
    // a bug cannot be asked for: a runtime whose verify throws stands for one
    entry: (source) =>
      `import { createWorker } from "./src/index.ts";
       SubtleCrypto.prototype.verify = () => { throw new TypeError("a bug"); };
       export default createWorker(${source});`,
  });
  misconfigured = await startGateway({ policy, vars: { ORIGIN_URL: stack.origin.url } });
});

afterAll(async () => {
  await Promise.all([broken?.close(), misconfigured?.close()]);
  await stack?.close();
});

const ROWS: readonly Row[] = [
  { code: "invalid_path", status: 400, request: () => ask("/v1/a;b") },
  {
    code: "missing_tenant_header",
    status: 400,
    request: async () => ask("/v1/x", { token: await stack.machine() }),
  },
  { code: "missing_token", status: 401, request: () => ask("/v1/x"), challenge: "none" },
  {
    code: "malformed_token",
    status: 401,
    request: () => ask("/v1/x", { headers: { authorization: "Basic YTpi" } }),
    challenge: "invalid_token",
  },
  {
    code: "invalid_signature",
    status: 401,
    request: async () => {
      const stranger = await createSigningKey("k1");
      return ask("/v1/x", { token: await sign(stranger, idClaims(stack.issuer, nowSeconds())) });
    },
    challenge: "invalid_token",
  },
  {
    code: "token_expired",
    status: 401,
    request: () => asPerson("/v1/x", { exp: nowSeconds() - 1 }),
    challenge: "invalid_token",
  },
  {
    code: "token_not_yet_valid",
    status: 401,
    request: () => asPerson("/v1/x", { nbf: nowSeconds() + 600 }),
    challenge: "invalid_token",
  },
  {
    code: "invalid_claims",
    status: 401,
    request: () => asPerson("/v1/x", { sub: undefined }),
    challenge: "invalid_token",
  },
  {
    code: "invalid_token_use",
    status: 401,
    request: () => asPerson("/access-only/x"),
    challenge: "invalid_token",
  },
  {
    code: "invalid_audience",
    status: 401,
    request: () => asPerson("/v1/x", { aud: "another-client" }),
    challenge: "invalid_token",
  },
  {
    code: "token_revoked",
    status: 401,
    request: () => asPerson("/v1/x", { jti: "revoked-jti" }),
    challenge: "invalid_token",
  },
  { code: "caller_not_allowed", status: 403, request: () => asMachine("/people/x", "acme") },
  {
    code: "missing_tenant_claim",
    status: 403,
    request: () => asPerson("/v1/x", { "custom:tenant_id": undefined }),
  },
  { code: "tenant_mismatch", status: 403, request: () => asPerson("/tenants/globex/x") },
  { code: "tenant_not_allowed", status: 403, request: () => asMachine("/v1/x", "globex") },
  {
    code: "insufficient_role",
    status: 403,
    request: () => asPerson("/admin/x", { "custom:role": "viewer" }),
  },
  {
    code: "insufficient_scope",
    status: 403,
    request: () => asPerson("/scoped/x"),
    challenge: "insufficient_scope",
    scope: "api/write https://api.example/read",
  },
  { code: "insufficient_group", status: 403, request: () => asPerson("/grouped/x") },
  { code: "route_denied", status: 403, request: () => asPerson("/denied/x") },
  { code: "route_not_found", status: 404, request: () => ask("/v2/x") },
  {
    code: "rate_limited",
    status: 429,
    request: async () => {
      const headers = { "cf-connecting-ip": "203.0.113.9" };
      await ask("/public/x", { headers });
      return ask("/public/x", { headers });
    },
    retryAfter: "60",
  },
  {
    code: "headers_too_large",
    status: 431,
    request: () => asPerson("/v1/x", {}, { headers: { "x-long": "a".repeat(11_000) } }),
  },
  {
    code: "misconfigured",
    status: 500,
    request: () => misconfigured.fetch("/v1/x"),
  },
  {
    code: "internal_error",
    status: 500,
    request: async () => {
      const authorization = `Bearer ${await stack.id()}`;
      return broken.fetch("/v1/x", { headers: { authorization, origin: PAGE } });
    },
  },
  { code: "origin_unreachable", status: 502, request: () => asPerson("/dead/x") },
  {
    code: "jwks_unavailable",
    status: 503,
    request: async () => {
      const issuer = `${dead}/us-east-2_Dead1`;
      return ask("/v1/x", { token: await sign(stack.key, idClaims(issuer, nowSeconds())) });
    },
    retryAfter: "some",
  },
  {
    code: "allowlist_unavailable",
    status: 503,
    request: () => asMachine("/v1/x", "acme", { sub: "machine-malformed", client_id: "machine-malformed" }),
    retryAfter: "some",
  },
  {
    code: "revocations_unavailable",
    status: 503,
    request: () => asPerson("/v1/x", { jti: "malformed-jti" }),
    retryAfter: "some",
  },
  {
    code: "origin_timeout",
    status: 504,
    request: async () => {
      stack.origin.handler = () => undefined;
      const response = await asPerson("/v1/x");
      stack.origin.handler = undefined;
      return response;
    },
  },
];

/** Parameters of a Bearer challenge (RFC 6750 section 3), each at most once. */
function challengeOf(response: Response): Map<string, string> | undefined {
  const header = response.headers.get("www-authenticate");
  if (header === null) return undefined;
  expect(header).toMatch(/^Bearer (?:[a-z_]+="[^"]*"(?:, |$))+$/);
  const pairs = [...header.matchAll(/([a-z_]+)="([^"]*)"/g)].map(([, name = "", value = ""]) => [
    name,
    value,
  ]);
  const parameters = new Map(pairs as [string, string][]);
  expect(parameters.size).toBe(pairs.length);
  return parameters;
}

describe("every row of the error table", () => {
  it.each(ROWS)("$code is $status, with its body, headers and challenge", async (row) => {
    const before = stack.origin.received.length;
    const response = await row.request();
    const text = await response.text();
    const body = JSON.parse(text);
    expect([response.status, body.error]).toEqual([row.status, row.code]);

    expect(response.headers.get("content-type")).toBe("application/json");
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(Object.keys(body)).toEqual(["error", "message", "request_id"]);
    expect(body.message).toMatch(/^[A-Z].{20,}\.$/);
    expect(body.request_id).toMatch(/^[\w-]{8,128}$/);
    expect(response.headers.get("x-request-id")).toBe(body.request_id);

    const challenge = challengeOf(response);
    if (row.challenge === undefined) expect(challenge).toBeUndefined();
    else {
      expect(challenge?.get("realm")).toBe("orders api");
      expect(challenge?.get("error")).toBe(row.challenge === "none" ? undefined : row.challenge);
      expect(challenge?.get("scope")).toBe(row.scope);
      expect(challenge?.get("resource_metadata")).toBe(`${stack.gateway.url}${METADATA}`);
    }
    const retryAfter = response.headers.get("retry-after");
    if (row.retryAfter === undefined) expect(retryAfter).toBeNull();
    else if (row.retryAfter === "some") expect(retryAfter).toMatch(/^[1-9]\d*$/);
    else expect(retryAfter).toBe(row.retryAfter);

    // readable by the page that asked; a gateway without a configuration knows of no page
    const isConfigured = row.code !== "misconfigured";
    expect(response.headers.get("access-control-allow-origin")).toBe(isConfigured ? PAGE : null);
    const reached = stack.origin.received.length - before;
    expect(reached).toBe(row.code === "rate_limited" ? 1 : 0);

    const gateways: Record<string, TestGateway> = { misconfigured, internal_error: broken };
    const line = await lineOf(gateways[row.code] ?? stack.gateway, response);
    expect(line).toMatchObject({ decision: "refuse", error: row.code, status: row.status });
  });

  it("method_not_allowed is 405 for TRACE and CONNECT, before anything else is looked at", async () => {
    for (const path of ["/v1/x", "/public/x", "/v1//x", METADATA]) {
      const response = await sendRequest(stack.gateway.url, path, [], "TRACE");
      expect([response.status, JSON.parse(response.body).error]).toEqual([405, "method_not_allowed"]);
    }
    const connect = await sendRequest(stack.gateway.url, "/v1/x", [], "CONNECT");
    expect(connect.status).toBeGreaterThanOrEqual(400); // workerd itself may be the one to refuse it
  });

  it("has no code that this suite does not meet", () => {
    const met = [...ROWS.map(({ code }) => code), "method_not_allowed"];
    expect(met.toSorted()).toEqual([...errorCodes()].toSorted());
  });

  it("names the policy's own scope where it is a machine's that is missing", async () => {
    const response = await asMachine("/machines/x", "acme", { scope: "zen/other" });
    expect(response.status).toBe(403);
    expect(challengeOf(response)?.get("scope")).toBe("zen/m2m");
    expect((await response.json()).error).toBe("insufficient_scope");
  });

  it("holds no token and no claim's value in any message", async () => {
    for (const { request } of ROWS) {
      const text = await (await request()).text();
      for (const value of ["acme", "globex", "ada", "app-client", "machine-1", "another-client", "eyJ"])
        expect(JSON.parse(text).message).not.toContain(value);
    }
  });

  it("answers HEAD with the status and headers alone", async () => {
    const response = await ask("/v1/x", { method: "HEAD" });
    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toContain("Bearer realm=");
    expect(await response.text()).toBe("");
  });
});

describe("the first refusal ends it, in the contract's order", () => {
  const expired = () => ({ exp: nowSeconds() - 60 });

  it.each([
    ["path before route", () => ask("/nowhere;x"), "invalid_path"],
    ["route before token", () => ask("/nowhere"), "route_not_found"],
    ["deny before token", () => ask("/denied/x"), "route_denied"],
    ["form before signature", () => ask("/v1/x", { token: "a.b" }), "malformed_token"],
    [
      "signature before time",
      async () => {
        const stranger = await createSigningKey("k1");
        return ask("/v1/x", { token: await sign(stranger, idClaims(stack.issuer, 1)) });
      },
      "invalid_signature",
    ],
    ["claims before time", () => asPerson("/v1/x", { ...expired(), iat: "1" }), "invalid_claims"],
    ["time before token_use", () => asPerson("/access-only/x", expired()), "token_expired"],
    ["token_use before audience", () => asPerson("/access-only/x", { aud: "other" }), "invalid_token_use"],
    [
      "audience before revocation",
      () => asPerson("/v1/x", { aud: "other", jti: "revoked-jti" }),
      "invalid_audience",
    ],
    ["revocation before caller", () => asPerson("/machines/x", { jti: "revoked-jti" }), "token_revoked"],
    ["caller before tenant", () => asMachine("/people/x", "globex"), "caller_not_allowed"],
    [
      "tenant before role",
      () => asPerson("/admin/x", { "custom:role": "viewer", "custom:tenant_id": undefined }),
      "missing_tenant_claim",
    ],
  ])("%s", async (_order, request, code) => {
    expect((await (await request()).json()).error).toBe(code);
  });
});
