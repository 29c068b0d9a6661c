import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cacheKeyOf, type FaultyGateway, startFaultyGateway } from "../support/faults.ts";
import { startGateway } from "../support/gateway.ts";
import { type RawResponse, sendRequest } from "../support/raw-tcp.ts";
import { takeRuntimeOutput } from "../support/runtime-output.ts";
import { leaksIn, plantSecret } from "../support/secrets.ts";
import { startCognito, startOrigin, type TestServer } from "../support/servers.ts";
import { createSigningKey, idClaims, machineClaims, type SigningKey, sign } from "../support/tokens.ts";

let key: SigningKey;
let stranger: SigningKey;
let origin: TestServer;
let cognito: TestServer;
let gateway: FaultyGateway;
let issuer: string;

const now = (): number => Math.floor(Date.now() / 1000);

beforeAll(async () => {
  [key, stranger] = await Promise.all([createSigningKey("k1"), createSigningKey("k1")]);
  [origin, cognito] = await Promise.all([startOrigin(), startCognito(() => [key.jwk])]);
  issuer = `${cognito.url}/us-east-2_Clean1`;
  gateway = await startFaultyGateway({
    policy: {
      roles: ["viewer", "admin"],
      m2mScope: "zen/m2m",
      routes: [
        { path: "/pub/*", access: "public" },
        { path: "/closed/*", access: "deny" },
        { path: "/report/*", role: "admin", mode: "report" },
        { path: "/t/:tenantId/*", tenantParam: "tenantId" },
        { path: "/admin/*", role: "admin", scopes: ["api/own"], groups: ["owners"] },
        { path: "/people/*", callers: ["user"] },
        { path: "/dead/*", origin: "dead" },
        { path: "/v1/*" },
      ],
    },
    namespaces: ["JWKS", "M2M_TENANTS", "REVOCATIONS"],
    rateLimits: { PUBLIC_RATE_LIMIT: 100_000, TENANT_RATE_LIMIT: 100_000 },
    vars: {
      ORIGIN_URL: `${origin.url}/prod`,
      ORIGINS: { dead: "http://127.0.0.1:9" },
      ORIGIN_SECRET: plantSecret("origin"),
      ORIGIN_TIMEOUT_MS: 3_000,
      CORS_ORIGINS: ["https://app.example"],
      USER_POOLS: [
        {
          id: "us-east-2_Clean1",
          client_ids: ["app-client"],
          issuers: [{ issuer, jwks_url: `${issuer}/jwks.json` }],
        },
      ],
    },
  });
  await (await gateway.kv("M2M_TENANTS")).put("machine-1", '{"tenants":["acme"]}');
  await (await gateway.kv("M2M_TENANTS")).put("malformed", `{"tenants":"${plantSecret("document")}"}`);
});

afterAll(async () => {
  await gateway.close(); // rejects where a secret shows in anything that was printed
  await Promise.all([origin.close(), cognito.close()]);
});

const person = (overrides = {}, header = {}): Promise<string> =>
  sign(key, idClaims(issuer, now(), overrides), header);
const machine = (clientId = "machine-1", overrides = {}): Promise<string> =>
  sign(key, machineClaims(issuer, now(), { sub: clientId, client_id: clientId, ...overrides }));

/** Sends a request that is full of secrets, and looks for them in the answer. */
async function send(
  path: string,
  token?: string,
  lines: readonly string[] = [],
  method = "GET",
): Promise<RawResponse> {
  const response = await sendRequest(
    gateway.url,
    `${path}?token=${plantSecret("query")}&jwt=${token ?? ""}`,
    [
      ...(token === undefined ? [] : [`Authorization: Bearer ${token}`]),
      `Cookie: session=${plantSecret("cookie")}; jwt=${token ?? ""}`,
      `Referer: https://app.example/?code=${plantSecret("referer")}`,
      `User-Agent: ${plantSecret("agent")}`,
      `X-Custom: caf\u00c3\u00a9 ${plantSecret("header")}`,
      `X-Api-Key: \u00ff${plantSecret("latin")}`,
      `X-Auth-Token: ${plantSecret("forged")}`,
      `X-Request-Id: "${plantSecret("id")}"`,
      ...lines,
    ],
    method,
  );
  expect(leaksIn(`${JSON.stringify(response.headers)}\n${response.body}`)).toEqual([]);
  expect(leaksIn(gateway.output.join("\n"))).toEqual([]);
  return response;
}

const codeOf = ({ body, status }: RawResponse): string => /"error":"(\w+)"/.exec(body)?.[1] ?? String(status);

it("finds what it looks for: a planted value, a token, the signature of one alone", async () => {
  const token = await person();
  expect(leaksIn(`x ${plantSecret("query")} y`)).toHaveLength(1);
  expect(leaksIn(token).join()).toContain("a token");
  expect(leaksIn(`{"x":"${token.slice(token.lastIndexOf(".") + 1)}"}`).join()).toContain("a signature");
  expect(leaksIn('{"event":"decision","sub":"b1c2d3e4-0000-4000-8000-000000000001"}')).toEqual([]);
});

it("sees whatever a runtime prints: each level of the console, and what nobody catches", async () => {
  const ways: Readonly<Record<string, string>> = {
    log: "console.log(secret)",
    warn: "console.warn(secret)",
    error: "console.error({ deep: { secret } })",
    debug: "console.debug(secret)",
    uncaught: "throw new Error(secret)",
    unhandled: "Promise.reject(new Error(secret))",
    deferred: "context.waitUntil(Promise.reject(new Error(secret)))",
  };
  const cases = Object.entries(ways).map(([way, code]) => `case "${way}": ${code}; break;`);
  const leaky = await startGateway({
    policy: {},
    vars: {},
    verbose: true,
    entry: () => `export default { async fetch(request, env, context) {
      const secret = new URL(request.url).searchParams.get("secret");
      switch (new URL(request.url).pathname.slice(1)) { ${cases.join(" ")} }
      return new Response();
    } }`,
  });
  expect(leaksIn(await takeRuntimeOutput())).toEqual([]); // of all that was printed so far
  const secrets = Object.keys(ways).map((way) => [way, plantSecret(way)] as const);
  for (const [way, secret] of secrets) await leaky.fetch(`/${way}?secret=${secret}`);
  await expect(leaky.close()).rejects.toThrow("has printed secrets");
  const leaks = leaksIn(await takeRuntimeOutput());
  for (const [way, secret] of secrets) expect(leaks, way).toContain(secret);
});

describe("no secret of a request shows in an answer or in the log", () => {
  const CASES: Readonly<
    Record<
      string,
      () => Promise<[path: string, token?: string | undefined, lines?: string[], method?: string]>
    >
  > = {
    "200": async () => ["/v1/x", await person()],
    "200 of a public route": async () => ["/pub/x", await person()],
    "200 in report mode": async () => ["/report/x", await person({ "custom:role": plantSecret("role") })],
    "200 in report mode, forged": async () => ["/report/x", await sign(stranger, idClaims(issuer, now()))],
    "204": async () => [
      "/v1/x",
      undefined,
      ["Origin: https://app.example", "Access-Control-Request-Method: GET"],
      "OPTIONS",
    ],
    missing_token: async () => ["/v1/x"],
    malformed_token: async () => ["/v1/x", `${await person()}.x`],
    malformed_token_twice: async () => ["/v1/x", await person(), [`Authorization: Bearer ${await person()}`]],
    malformed_token_basic: async () => [
      "/v1/x",
      undefined,
      [`Authorization: Basic ${plantSecret("password")}`],
    ],
    malformed_token_unicode: async () => [
      "/v1/x",
      undefined,
      [`Authorization: Bearer ${await person()}\u00ff${plantSecret("unicode")}`],
    ],
    invalid_signature: async () => [
      "/v1/x",
      await sign(stranger, idClaims(issuer, now(), { sub: plantSecret("sub") })),
    ],
    invalid_signature_kid: async () => ["/v1/x", await person({}, { kid: plantSecret("kid") })],
    invalid_signature_issuer: async () => [
      "/v1/x",
      await person({ iss: `https://${plantSecret("issuer")}.example` }),
    ],
    invalid_signature_jku: async () => [
      "/v1/x",
      await sign(stranger, idClaims(issuer, now()), { jku: `https://${plantSecret("jku")}` }),
    ],
    token_expired: async () => ["/v1/x", await person({ exp: 1 })],
    token_not_yet_valid: async () => ["/v1/x", await person({ nbf: now() + 999 })],
    invalid_claims: async () => ["/v1/x", await person({ exp: plantSecret("exp") })],
    invalid_token_use: async () => [
      "/v1/x",
      await sign(key, { ...idClaims(issuer, now()), token_use: "refresh" }),
    ],
    invalid_audience: async () => ["/v1/x", await person({ aud: ["app-client", plantSecret("aud")] })],
    caller_not_allowed: async () => ["/people/x", await machine(), [`X-Tenant-Id: ${plantSecret("tenant")}`]],
    missing_tenant_claim: async () => [
      "/v1/x",
      await person({ "custom:tenant_id": `${plantSecret("tenant")}, x` }),
    ],
    tenant_mismatch: async () => ["/v1/x", await person(), [`X-Tenant-Id: ${plantSecret("tenant")}`]],
    tenant_mismatch_path: async () => [`/t/${plantSecret("tenant")}/x`, await person()],
    missing_tenant_header: async () => [
      "/v1/x",
      await machine(),
      [`X-Tenant-Id: ${plantSecret("tenant")},x`],
    ],
    tenant_not_allowed: async () => ["/v1/x", await machine(), [`X-Tenant-Id: ${plantSecret("tenant")}`]],
    allowlist_unavailable: async () => ["/v1/x", await machine("malformed"), ["X-Tenant-Id: acme"]],
    insufficient_role: async () => ["/admin/x", await person({ "custom:role": plantSecret("role") })],
    insufficient_scope: async () => ["/admin/x", await person({ scope: plantSecret("scope") })],
    insufficient_scope_machine: async () => [
      "/v1/x",
      await machine("machine-1", { scope: plantSecret("scope") }),
      ["X-Tenant-Id: acme"],
    ],
    route_denied: async () => [`/closed/${plantSecret("path")}`, await person()],
    route_not_found: async () => [`/${plantSecret("path")}`, await person()],
    invalid_path: async () => [`/v1/%00${plantSecret("path")}`, await person()],
    method_not_allowed: async () => ["/v1/x", await person(), [], "TRACE"],
    headers_too_large: async () => [
      "/pub/x",
      await person(),
      [`X-Long: ${plantSecret("long")}${"x".repeat(10_240)}`],
    ],
    origin_unreachable: async () => ["/dead/x", await person()],
  };
  it.each(Object.keys(CASES))("%s", async (name) => {
    const [path, token, lines, method] = (await CASES[name]?.()) ?? [""];
    const response = await send(path, token, lines, method);
    const expected =
      name.split(/[ ](?:of|in)|_(?:twice|basic|unicode|kid|issuer|jku|path|machine)$/)[0] ?? "";
    const isPathItself = name === "invalid_path";
    expect(codeOf(response)).toBe(isPathItself ? "invalid_path" : expected);
  });
});

describe("nor where something fails", () => {
  it("the origin hangs, hangs up, or breaks off", async () => {
    const token = await person();
    origin.handler = () => undefined;
    expect(codeOf(await send("/v1/x", token))).toBe("origin_timeout");
    origin.handler = (_request, response) => void response.destroy();
    expect(codeOf(await send("/v1/x", token))).toBe("origin_unreachable");
    origin.handler = (_request, response) => {
      response.writeHead(200, { "content-length": "100" });
      response.write("half");
      setTimeout(() => response.destroy(), 50);
    };
    await send("/v1/x", token).catch(() => undefined);
    origin.handler = undefined;
    expect(codeOf(await send("/v1/x", token))).toBe("200");
  });

  it("KV throws, with a message that quotes", async () => {
    for (const kind of ["throw", "reject"] as const) {
      await gateway.advance(11 * 60_000);
      const fault = { kind, message: `GET ${plantSecret("message")} failed` };
      await gateway.setFaults({
        "M2M_TENANTS.get": fault,
        "JWKS.get": fault,
        "JWKS.put": fault,
        "cache.match": fault,
      });
      expect(
        codeOf(
          await send("/v1/x", await machine("machine-2", { exp: now() + 9_999 }), ["X-Tenant-Id: acme"]),
        ),
      ).toBe("allowlist_unavailable");
      await gateway.setFaults({ "REVOCATIONS.list": fault });
      await gateway.advance(11 * 60_000);
      expect(codeOf(await send("/v1/x", await person({ exp: now() + 9_999 })))).toBe(
        "revocations_unavailable",
      );
      await gateway.setFaults({});
    }
  });

  it("a rate limit throws, with a message that quotes: nobody is limited, and the log tells", async () => {
    for (const kind of ["throw", "reject"] as const) {
      const fault = { kind, message: `limit ${plantSecret("message")} failed` };
      await gateway.setFaults({ "PUBLIC_RATE_LIMIT.limit": fault, "TENANT_RATE_LIMIT.limit": fault });
      expect(codeOf(await send("/pub/x"))).toBe("200");
      expect(codeOf(await send("/v1/x", await person({ exp: now() + 9_999 })))).toBe("200");
      await gateway.setFaults({});
    }
    const failed = gateway.logs.filter(({ event }) => event === "rate_limit_failed");
    expect(failed.map(({ binding }) => binding)).toEqual([
      ...["PUBLIC_RATE_LIMIT", "TENANT_RATE_LIMIT"],
      ...["PUBLIC_RATE_LIMIT", "TENANT_RATE_LIMIT"],
    ]);
  });

  it("WebCrypto throws what nobody expects: 500, and nothing is forwarded, in report mode neither", async () => {
    for (const kind of ["throw", "reject"] as const) {
      await gateway.setFaults({
        "crypto.verify": { kind, message: `verify ${plantSecret("message")} failed` },
      });
      const before = origin.received.length;
      for (const path of ["/v1/x", "/report/x"]) {
        const token = await person({ exp: now() + 9_999, jti: `${kind} ${path}` });
        expect(codeOf(await send(path, token))).toBe("internal_error");
      }
      expect(origin.received.length).toBe(before);
      await gateway.setFaults({});
      expect(codeOf(await send("/v1/x", await person({ exp: now() + 9_999, jti: kind })))).toBe("200");
    }
    expect(gateway.logs.filter(({ event }) => event === "internal_error")).toHaveLength(4);
  });

  it("stored documents are corrupt and hold what they should not", async () => {
    await gateway.advance(11 * 60_000);
    const secret = JSON.stringify({
      issuer,
      keys: plantSecret("document"),
      fetched_at_ms: plantSecret("document"),
    });
    await gateway.putCache(cacheKeyOf("http://api.example", issuer), secret);
    await (await gateway.kv("JWKS")).put(issuer, secret);
    await (await gateway.kv("REVOCATIONS")).put(`sub:${plantSecret("sub")}`, plantSecret("document"));
    await gateway.advance(25 * 60 * 60_000);
    expect(codeOf(await send("/v1/x", await person({ exp: now() + 999_999 })))).toBe("200");
    expect(gateway.logs.some(({ event }) => event === "jwks_entry_corrupt")).toBe(true);
    expect(gateway.logs.some(({ event }) => event === "revocation_malformed")).toBe(true);
  });

  it("Cognito answers with something else's page", async () => {
    await gateway.advance(25 * 60 * 60_000);
    for (const page of [
      plantSecret("page"),
      `<p>${plantSecret("page")}</p>`,
      `{"keys":"${plantSecret("page")}"}`,
    ]) {
      cognito.handler = (_request, response) => void response.end(page);
      await gateway.advance(10_000);
      expect(codeOf(await send("/v1/x", await person({ exp: now() + 999_999 })))).toBe("jwks_unavailable");
    }
    cognito.handler = undefined;
  });
});

it("the line of a decision holds what the contract lists, and nothing else", () => {
  const known = new Set([
    ...[
      "event",
      "request_id",
      "method",
      "route",
      "decision",
      "error",
      "would_have",
      "status",
      "caller",
      "sub",
    ],
    ...["tenant", "client_id", "kid", "token_use", "jwks", "edge_ms", "origin_ms", "colo"],
  ]);
  const decisions = gateway.decisions();
  expect(decisions.length).toBeGreaterThan(40);
  for (const line of decisions) expect(Object.keys(line).filter((name) => !known.has(name))).toEqual([]);
  for (const line of decisions.filter(({ error }) => error === "invalid_signature"))
    for (const name of ["sub", "tenant", "client_id", "kid", "caller", "token_use"])
      expect(line).not.toHaveProperty(name);
});

it("a configuration with faults names them without their values, and forwards nothing", async () => {
  const broken = await startGateway({
    policy: { routes: [{ path: "/pub/*", access: "public" }] },
    vars: {
      ORIGIN_URL: `ftp://user:${plantSecret("password")}@origin.example`,
      ORIGIN_SECRET: `${plantSecret("origin")} with a blank`,
      REALM: `"${plantSecret("realm")}`,
      MODE: plantSecret("mode"),
      USER_POOLS: [{ id: plantSecret("pool"), client_ids: [` ${plantSecret("client")}`] }],
      AWS_SECRET_ACCESS_KEY: plantSecret("key"),
      PASSPORT_PRIVATE_JWK: plantSecret("jwk"),
    },
  });
  const response = await broken.fetch("/pub/x");
  const body = await response.text();
  expect(response.status).toBe(500);
  expect(body).toContain("misconfigured");
  expect(leaksIn(body)).toEqual([]);
  expect(broken.logs.find(({ event }) => event === "misconfigured")).toBeDefined();
  expect(leaksIn(broken.output.join("\n"))).toEqual([]);
  await broken.close();
});
