import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { startOrigin, type TestServer } from "../support/servers.ts";
import { eventually, poolOf } from "./stack.ts";

const POOL = poolOf("http://127.0.0.1:9", "us-east-2_Test1");
const GOOD_POLICY = { roles: ["viewer"], routes: [{ path: "/pub/*", access: "public" }, { path: "/*" }] };
const HEALTH = "/.well-known/edge-authorizer/health";

interface Case {
  readonly fault: string;
  readonly vars?: Record<string, unknown>;
  readonly policy?: Record<string, unknown>;
  /** Variables and bindings that are taken away. */
  readonly without?: readonly string[];
  /** How the log names it: path, then what is wrong. */
  readonly named: RegExp;
}

const CASES: readonly Case[] = [
  { fault: "no ORIGIN_URL", without: ["ORIGIN_URL"], named: /^ORIGIN_URL: / },
  {
    fault: "a plain http origin",
    vars: { ORIGIN_URL: "http://api.example.com" },
    named: /^ORIGIN_URL: .*https/,
  },
  { fault: "an origin with a query", vars: { ORIGIN_URL: "https://a.example/?x" }, named: /^ORIGIN_URL: / },
  {
    fault: "an origin with a user name",
    vars: { ORIGIN_URL: "https://u:p@a.example" },
    named: /^ORIGIN_URL: /,
  },
  { fault: "no USER_POOLS", without: ["USER_POOLS"], named: /^USER_POOLS: / },
  { fault: "no pool", vars: { USER_POOLS: [] }, named: /^USER_POOLS: / },
  { fault: "a pool without id", vars: { USER_POOLS: [{ client_ids: [] }] }, named: /^USER_POOLS\.0\.id: / },
  {
    fault: "client ids as text",
    vars: { USER_POOLS: [{ ...POOL, client_ids: "a" }] },
    named: /^USER_POOLS\.0\.client_ids: /,
  },
  {
    fault: "a client id with a blank",
    vars: { USER_POOLS: [{ ...POOL, client_ids: ["a b"] }] },
    named: /^USER_POOLS\.0\.client_ids\.0: /,
  },
  {
    fault: "a client id of 129 characters",
    vars: { USER_POOLS: [{ ...POOL, client_ids: ["a".repeat(129)] }] },
    named: /^USER_POOLS\.0\.client_ids\.0: /,
  },
  {
    fault: "an issuer without jwks_url",
    vars: { USER_POOLS: [{ ...POOL, issuers: [{ issuer: "https://a.example" }] }] },
    named: /^USER_POOLS\.0\.issuers\.0\.jwks_url: /,
  },
  {
    fault: "an http issuer",
    vars: {
      USER_POOLS: [{ ...POOL, issuers: [{ issuer: "http://a.example", jwks_url: "https://a.example" }] }],
    },
    named: /^USER_POOLS\.0\.issuers\.0\.issuer: /,
  },
  {
    fault: "a pool twice",
    vars: { USER_POOLS: [POOL, poolOf("http://127.0.0.1:10", POOL.id)] },
    named: /^USER_POOLS\.1\.id: /,
  },
  {
    fault: "an unknown member of a pool",
    vars: { USER_POOLS: [{ ...POOL, clients: [] }] },
    named: /^USER_POOLS\.0\.clients: /,
  },
  {
    fault: "a resource that is no URL",
    vars: { USER_POOLS: [{ ...POOL, resources: ["orders"] }] },
    named: /^USER_POOLS\.0\.resources\.0: /,
  },
  {
    fault: "a CORS origin with a path",
    vars: { CORS_ORIGINS: ["https://a.example/"] },
    named: /^CORS_ORIGINS\.0: /,
  },
  { fault: "any CORS origin, for all", vars: { CORS_ORIGINS: ["*"] }, named: /^CORS_ORIGINS\.0: / },
  {
    fault: "a tolerance beyond 300",
    vars: { EXP_TOLERANCE_SECONDS: 301 },
    named: /^EXP_TOLERANCE_SECONDS: /,
  },
  {
    fault: "a negative tolerance",
    vars: { SKEW_TOLERANCE_SECONDS: "-1" },
    named: /^SKEW_TOLERANCE_SECONDS: /,
  },
  {
    fault: "a time-out that is no number",
    vars: { ORIGIN_TIMEOUT_MS: "soon" },
    named: /^ORIGIN_TIMEOUT_MS: /,
  },
  {
    fault: "a flag that is neither",
    vars: { FORWARD_AUTHORIZATION: "no" },
    named: /^FORWARD_AUTHORIZATION: /,
  },
  { fault: "an unknown mode", vars: { MODE: "audit" }, named: /^MODE: / },
  { fault: "a realm with quotes", vars: { REALM: 'a"b' }, named: /^REALM: / },
  {
    fault: "an origin by name that is no URL",
    vars: { ORIGINS: { billing: "billing" } },
    named: /^ORIGINS\.billing: /,
  },
  { fault: "three origin secrets", vars: { ORIGIN_SECRET: "one,two,three" }, named: /^ORIGIN_SECRET: / },
  { fault: "an empty origin secret", vars: { ORIGIN_SECRET: "" }, named: /^ORIGIN_SECRET: / },
  { fault: "half of the AWS pair", vars: { AWS_ACCESS_KEY_ID: "AKIAEXAMPLE" }, named: /^AWS_\w+: / },
  { fault: "a passport key without issuer", vars: { PASSPORT_PRIVATE_JWK: "{}" }, named: /^PASSPORT_\w+: / },
  { fault: "no KV for JWKS", without: ["JWKS"], named: /^JWKS: / },
  { fault: "no KV for allow-lists", without: ["M2M_TENANTS"], named: /^M2M_TENANTS: / },
  { fault: "a KV that is a text", vars: { REVOCATIONS: "text" }, named: /^REVOCATIONS: / },
  { fault: "a rate limit that is a number", vars: { TENANT_RATE_LIMIT: 5 }, named: /^TENANT_RATE_LIMIT: / },
  {
    fault: "a route to an origin that is not there",
    policy: { routes: [{ path: "/*", origin: "billing" }] },
    named: /^routes\.0\.origin: /,
  },
  {
    fault: "an unknown role",
    policy: { roles: ["a"], routes: [{ path: "/*", role: "b" }] },
    named: /^routes\.0\.role: /,
  },
  {
    fault: "a route that is covered",
    policy: { routes: [{ path: "/*" }, { path: "/a" }] },
    named: /^routes\.1: /,
  },
  { fault: "a pattern of another form", policy: { routes: [{ path: "a" }] }, named: /^routes\.0\.path: / },
  { fault: "a parameter twice", policy: { routes: [{ path: "/:a/:a" }] }, named: /^routes\.0\.path: / },
  { fault: "no route", policy: { routes: [] }, named: /^routes: / },
];

/**
 * All cases in one isolate: the header `x-case` says whose Worker and environment serve a request. An entry of
 * null takes a variable or a binding away.
 */
const entryOf = (cases: readonly Omit<Case, "fault" | "named">[]) => (): string =>
  `
  import { createWorker } from "./src/index.ts";
  const made = ${JSON.stringify(cases)}.map(({ policy, vars = {}, without = [] }) => ({
    worker: createWorker(policy ?? ${JSON.stringify(GOOD_POLICY)}),
    vars,
    without,
  }));
  export default {
    fetch(request, env, context) {
      const one = made[Number(request.headers.get("x-case"))];
      if (one.env === undefined) {
        const all = Object.entries({ ...env, ...one.vars });
        one.env = Object.fromEntries(all.filter(([name]) => !one.without.includes(name)));
      }
      return one.worker.fetch(request, one.env, context);
    },
  };`;

const SEVERAL: Omit<Case, "fault" | "named"> = {
  vars: {
    ORIGIN_URL: "http://api.example.com",
    MODE: "audit",
    REALM: '"',
    ORIGIN_SECRET: "planted one,two,three",
    EXP_TOLERANCE_SECONDS: 999,
  },
  without: ["M2M_TENANTS"],
};
const SOUND: Omit<Case, "fault" | "named"> = {};

let origin: TestServer;
let gateway: TestGateway;

beforeAll(async () => {
  origin = await startOrigin();
  gateway = await startGateway({
    policy: GOOD_POLICY,
    vars: { ORIGIN_URL: origin.url, USER_POOLS: [POOL] },
    entry: entryOf([...CASES, SEVERAL, SOUND]),
  });
});
afterAll(async () => {
  await gateway?.close();
  await origin?.close();
});

const ask = (index: number, path: string, init: RequestInit = {}) =>
  gateway.fetch(path, { ...init, headers: { ...init.headers, "x-case": String(index) } });

/** The faults that are logged for a case at its first request: sent by `send`. */
async function faultsAt(send: () => Promise<unknown>): Promise<string[]> {
  const lines = () => gateway.logs.filter(({ event }) => event === "misconfigured");
  const before = lines().length;
  await send();
  return eventually(() => {
    const line = lines()[before];
    if (line === undefined) throw new Error("no line yet");
    return line["faults"] as string[];
  });
}

const PREFLIGHT = { origin: "https://a.example", "access-control-request-method": "GET" };
const REQUESTS: readonly (readonly [string, RequestInit])[] = [
  ["/pub/x", {}],
  ["/x", { headers: { authorization: "Bearer x" } }],
  ["/nowhere;", {}],
  ["/x", { method: "POST", body: "{}" }],
  ["/x", { method: "OPTIONS", headers: PREFLIGHT }],
  ["/.well-known/oauth-protected-resource", {}],
  ["/.well-known/edge-authorizer/other", {}],
];

describe("a configuration that does not validate forwards nothing: 500 misconfigured, health 503", () => {
  it.each(CASES.map((one, index) => ({ ...one, index })))("$fault", async ({ named, index }) => {
    const faults = await faultsAt(() => ask(index, "/"));
    expect(faults.length).toBeGreaterThan(0);
    for (const fault of faults) expect(fault).toMatch(named);
    for (const [path, init] of REQUESTS) {
      const response = await ask(index, path, init);
      expect([path, response.status, (await response.json()).error]).toEqual([path, 500, "misconfigured"]);
    }
    for (const path of [HEALTH, `${HEALTH}/`]) {
      const health = await ask(index, path);
      expect([health.status, (await health.json()).status]).toEqual([503, "degraded"]);
    }
    expect(origin.received).toHaveLength(0);
  });

  it("all faults at once are named, each by its path, and no secret's value is", async () => {
    const faults = await faultsAt(() => ask(CASES.length, "/"));
    expect(faults.map((fault) => fault.split(":", 1)[0]).toSorted()).toEqual(
      ["EXP_TOLERANCE_SECONDS", "M2M_TENANTS", "MODE", "ORIGIN_SECRET", "ORIGIN_URL", "REALM"].toSorted(),
    );
    expect(gateway.output.join("")).not.toContain("planted");
  });

  it("a sound one beside them forwards", async () => {
    expect((await ask(CASES.length + 1, "/pub/x")).status).toBe(200);
    expect(origin.received).toHaveLength(1);
  });
});
