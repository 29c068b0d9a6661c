import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startGateway } from "../support/gateway.ts";
import { sendRequest } from "../support/raw-tcp.ts";
import { createSigningKey, idClaims, sign } from "../support/tokens.ts";
import { type Call, deadUrl, nowSeconds, poolOf, type Stack, startStack } from "./stack.ts";

let stack: Stack;
let dead: string;

beforeAll(async () => {
  dead = await deadUrl();
  stack = await startStack(startGateway, {
    policy: {
      roles: ["viewer", "admin"],
      m2mScope: "zen/m2m",
      routes: [
        { path: "/pub/*", access: "public" },
        { path: "/denied/*", access: "deny" },
        { path: "/people/*", callers: ["user"] },
        { path: "/access/*", tokenUse: ["access"] },
        { path: "/admin/*", role: "admin" },
        { path: "/scoped/*", scopes: ["a/b"] },
        { path: "/grouped/*", groups: ["ops"] },
        { path: "/tenants/:t", tenantParam: "t" },
        { path: "/enforced/*", mode: "enforce" },
        { path: "/dead/*", origin: "dead" },
        { path: "/v1/*" },
      ],
    },
    namespaces: ["JWKS", "M2M_TENANTS", "REVOCATIONS"],
    rateLimits: { PUBLIC_RATE_LIMIT: 1, TENANT_RATE_LIMIT: 1 },
    varsOf: ({ cognito }) => ({
      MODE: "report",
      ORIGINS: { dead },
      ORIGIN_SECRET: "proof",
      USER_POOLS: [poolOf(cognito), poolOf(dead, "us-east-2_Dead1")],
    }),
  });
  const lists = await stack.gateway.kv("M2M_TENANTS");
  await lists.put("machine-1", '["acme"]');
  await lists.put("malformed", "nonsense");
  const revocations = await stack.gateway.kv("REVOCATIONS");
  await revocations.put("jti:revoked", "", { metadata: {} });
  await revocations.put("jti:malformed", "", { metadata: { before: "now" } });
});
afterAll(() => stack?.close());

type Ask = () => Promise<[path: string, call: Call]>;
let tenants = 0;
const person =
  (path: string, claims: Record<string, unknown> = {}, call: Call = {}): Ask =>
  async () => [path, { token: await stack.id({ "custom:tenant_id": `t-${++tenants}`, ...claims }), ...call }];
const machine =
  (path: string, tenant: string | undefined, claims: Record<string, unknown> = {}): Ask =>
  async () => [path, { token: await stack.machine(claims), ...(tenant !== undefined && { tenant }) }];

const REPORTED: readonly (readonly [code: string, ask: Ask])[] = [
  ["missing_token", async () => ["/v1/x", {}]],
  ["malformed_token", async () => ["/v1/x", { headers: { authorization: "Basic YTpi" } }]],
  [
    "invalid_signature",
    async () => {
      const stranger = await createSigningKey("k1");
      return ["/v1/x", { token: await sign(stranger, idClaims(stack.issuer, nowSeconds())) }];
    },
  ],
  ["token_expired", person("/v1/x", { exp: 1 })],
  ["token_not_yet_valid", person("/v1/x", { nbf: nowSeconds() + 9_999 })],
  ["invalid_claims", person("/v1/x", { sub: undefined })],
  ["invalid_token_use", person("/access/x")],
  ["invalid_audience", person("/v1/x", { aud: "other" })],
  ["token_revoked", person("/v1/x", { jti: "revoked" })],
  ["caller_not_allowed", machine("/people/x", "acme")],
  ["missing_tenant_claim", person("/v1/x", { "custom:tenant_id": undefined })],
  ["missing_tenant_header", machine("/v1/x", undefined)],
  ["tenant_mismatch", person("/tenants/other")],
  ["tenant_mismatch", person("/v1/x", {}, { tenant: "other" })],
  ["tenant_not_allowed", machine("/v1/x", "globex")],
  ["insufficient_role", person("/admin/x", { "custom:role": "viewer" })],
  ["insufficient_scope", person("/scoped/x")],
  ["insufficient_scope", machine("/v1/x", "acme", { scope: "other" })],
  ["insufficient_group", person("/grouped/x")],
];

/** Names and values of what vouches for a caller. */
const vouching = (): string[] =>
  stack.origin
    .last()
    .rawHeaders.map(([name, value]) => `${name}: ${value}`)
    .filter((line) => /^x[-_](?:auth|tenant|origin-secret)/.test(line));

describe("in report mode", () => {
  it.each(REPORTED)(
    "what would be %s is forwarded without identity and proof, and logged",
    async (code, ask) => {
      const [path, call] = await ask();
      const spoofed = { "x-auth-sub": "eve", x_tenant_id: "globex", "x-origin-secret": "guess" };
      const before = stack.origin.received.length;
      const response = await stack.call(path, { ...call, headers: { ...spoofed, ...call.headers } });
      expect([response.status, await response.text()]).toEqual([200, '{"ok":true}']);
      expect(response.headers.get("www-authenticate")).toBeNull();
      expect(stack.origin.received.length).toBe(before + 1);
      expect(vouching()).toEqual([]);
      const line = await stack.lineOf(response);
      expect(line).toMatchObject({ decision: "report", would_have: code, status: 200 });
      expect(line["error"]).toBeUndefined();
    },
  );

  // the limit's minutes are those of the clock on the wall: a test that one of them ends in begins anew
  it("rate limits are reported too: by address without identity, by tenant", { retry: 2 }, async () => {
    const headers = { "cf-connecting-ip": `203.0.113.${++tenants}` };
    await stack.call("/pub/x", { headers });
    const token = await stack.id({ "custom:tenant_id": `limited-${tenants}` });
    await stack.call("/v1/x", { token });
    for (const response of [await stack.call("/pub/x", { headers }), await stack.call("/v1/x", { token })]) {
      expect(response.status).toBe(200);
      expect(vouching()).toEqual([]);
      expect(await stack.lineOf(response)).toMatchObject({ decision: "report", would_have: "rate_limited" });
    }
  });

  it("what would be let in is let in as ever: identity, proof, and decision forward", async () => {
    const response = await stack.call("/v1/x", { token: await stack.id({ "custom:tenant_id": "good" }) });
    expect(response.status).toBe(200);
    expect(vouching()).toContain("x-auth-tenant-id: good");
    expect(vouching()).toContain("x-origin-secret: proof");
    const line = await stack.lineOf(response);
    expect(line["decision"]).toBe("forward");
    expect(line["would_have"]).toBeUndefined();
  });

  it("the caller's Authorization is passed on", async () => {
    await stack.call("/v1/x", { headers: { authorization: "Basic YTpi" } });
    expect(stack.origin.last().headers["authorization"]).toBe("Basic YTpi");
  });

  it.each([
    ["invalid_path", 400, async () => ["/v1/a;b", {}]],
    ["route_denied", 403, person("/denied/x")],
    ["route_not_found", 404, person("/nowhere")],
    ["headers_too_large", 431, person("/v1/x", {}, { headers: { "x-long": "x".repeat(11_000) } })],
    ["headers_too_large", 431, async () => ["/v1/x", { headers: { "x-long": "x".repeat(11_000) } }]],
    ["origin_unreachable", 502, person("/dead/x")],
    ["origin_unreachable", 502, async () => ["/dead/x", {}]],
    [
      "jwks_unavailable",
      503,
      async () => {
        const claims = idClaims(`${dead}/us-east-2_Dead1`, nowSeconds());
        return ["/v1/x", { token: await sign(stack.key, claims) }];
      },
    ],
    ["allowlist_unavailable", 503, machine("/v1/x", "acme", { sub: "malformed", client_id: "malformed" })],
    ["revocations_unavailable", 503, person("/v1/x", { jti: "malformed" })],
  ] as readonly (readonly [string, number, Ask])[])("%s stays a refusal (%i)", async (code, status, ask) => {
    const [path, call] = await ask();
    const before = stack.origin.received.length;
    const response = await stack.call(path, call);
    expect([response.status, (await response.json()).error]).toEqual([status, code]);
    expect(stack.origin.received.length).toBe(before);
    expect(await stack.lineOf(response)).toMatchObject({ decision: "refuse", error: code });
  });

  it("method_not_allowed stays a refusal", async () => {
    expect((await sendRequest(stack.gateway.url, "/v1/x", [], "TRACE")).status).toBe(405);
  });

  it("a preflight is answered at the edge as ever", async () => {
    const headers = { origin: "https://a.example", "access-control-request-method": "GET" };
    expect((await stack.call("/v1/x", { method: "OPTIONS", headers })).status).toBe(204);
  });

  it("a route that says enforce is enforced", async () => {
    expect(await stack.outcome("/enforced/x")).toBe("missing_token");
  });
});
