import { auditRecord } from "../src/core/audit.ts";
import { authorize } from "../src/core/authorize.ts";
import { parseConfig } from "../src/core/config.ts";
import type { Decision, UpstreamRequest } from "../src/core/decision.ts";
import { createExchange, type Exchange } from "../src/core/exchange.ts";
import { createGateway, type Gateway, type Sources } from "../src/core/gateway.ts";
import { readHeaders } from "../src/core/http/client-headers.ts";
import { compilePolicy } from "../src/core/policy/define.ts";
import { run } from "../src/core/steps.ts";
import { createVerifiedCache } from "../src/core/token/verified-cache.ts";
import { recallToken, verifyToken } from "../src/core/token/verify.ts";
import { type Client, headersFor } from "./headers.ts";
import { policyOf, TARGET } from "./policy.ts";
import { CLIENT_ID, ISSUER, ORIGIN_URL, POOL_ID } from "./pool.ts";
import { fail, type Task } from "./task.ts";

/** What the core is measured with. */
export interface CoreTokens {
  readonly jwks: unknown;
  /** By workload: `first`, `known`, `junk`, `forged`, `expired`, and `m2m` (one for each size of allow-list). */
  readonly tokens: Readonly<Record<string, readonly string[]>>;
}

/** Tenants of a machine's list; its `client_id` is `machine-<size>`. */
export const ALLOW_LIST_SIZES = [10, 1_000, 100_000] as const;
/** Tokens of a workload of known tokens. */
export const KNOWN_SIZES = [1, 1_000, 10_000] as const;
const ROUTES = 50;

/** What every measured request has beside its headers. */
export const REQUEST = {
  method: "GET",
  url: `https://api.example.com${TARGET}`,
  clientIp: "203.0.113.7",
};

/** The core's workloads, by name. */
export interface CoreBench {
  readonly tasks: Readonly<Record<string, Task>>;
  /** What comes of a request that is forwarded: the decision, and the log line as text. */
  outcome(headers: Headers): Promise<{ readonly upstream: UpstreamRequest; readonly record: string }>;
  /** The requests of an API client with so many known tokens: the very objects that the core is measured with. */
  knownHeaders(size: number): readonly Headers[];
  /** Decides twice on a request with this token, so that its verification is kept. */
  remember(token: string): Promise<void>;
}

const allowListOf = (clientId: string): string =>
  JSON.stringify({
    role: "agent",
    tenants: Array.from(
      { length: Number(clientId.slice("machine-".length)) },
      (_, index) => `tenant-${index}`,
    ),
  });

/** Stores in memory. Key sets and allow-lists are read once, and stay fresh for the time of a run. */
function createSources(jwks: unknown): Sources {
  const nowhere = { get: async () => undefined, put: async () => undefined };
  const startedAtMs = Date.now();
  return {
    scope: {
      now: () => startedAtMs, // copies do not grow old: their refresh is no part of these workloads
      defer: () => undefined,
      within: (work) => work,
      report: ({ event }) => fail(event),
    },
    jwks: { cache: nowhere, kv: nowhere, fetch: async () => ({ status: 200, body: jwks }) },
    readAllowList: async (clientId) => allowListOf(clientId),
    listRevocations: undefined,
    publicRateLimit: undefined,
    tenantRateLimit: undefined,
  };
}

function createBenchGateway(): Gateway {
  const pool = {
    id: POOL_ID,
    client_ids: [CLIENT_ID],
    issuers: [{ issuer: ISSUER, jwks_url: `${ISSUER}/.well-known/jwks.json` }],
  };
  const config = parseConfig({
    ORIGIN_URL,
    USER_POOLS: [pool],
  });
  const policy = compilePolicy(policyOf(ROUTES));
  if (!config.ok || !policy.ok) return fail("configuration or policy has a fault");
  const gateway = createGateway(config.value, policy.value);
  return gateway.ok ? gateway.value : fail("the gateway has a fault");
}

/**
 * Builds the core's workloads. A whole decision begins with the request's headers at hand and ends with the
 * log line as text; nothing is sent, nothing printed.
 */
export async function createCoreBench({ jwks, tokens }: CoreTokens): Promise<CoreBench> {
  const gateway = createBenchGateway();
  const sources = createSources(jwks);
  const of = (name: string): readonly string[] => tokens[name] ?? [];

  const exchangeOf = (headers: Headers): Exchange =>
    createExchange({
      method: REQUEST.method,
      url: REQUEST.url,
      headers: readHeaders(headers),
      clientIp: REQUEST.clientIp,
    });
  const recordOf = (exchange: Exchange, decision: Decision): string =>
    JSON.stringify(auditRecord(exchange, { decision, status: 200, edgeMs: 0, colo: "ORD" }));

  function decide(headers: Headers, on: Gateway): string | Promise<string> {
    const exchange = exchangeOf(headers);
    const finish = (decision: Decision): string => {
      if (recordOf(exchange, decision).length === 0) fail("no log line");
      return decision.kind === "refuse" ? decision.refusal.code : decision.kind;
    };
    const decision = run(authorize(exchange, on, sources));
    return decision instanceof Promise ? decision.then(finish) : finish(decision);
  }

  /** Without a gateway: on one whose cache of verified tokens is empty at each pass over the tokens. */
  function decisions(headers: readonly Headers[], outcome: string, given?: Gateway): Task {
    return async (count) => {
      let on = given ?? gateway;
      for (let index = 0; index < count; index += 1) {
        if (given === undefined && index % headers.length === 0) on = withOwnCache();
        const decided = decide(headers[index % headers.length] ?? fail("no token"), on);
        const found = decided instanceof Promise ? await decided : decided;
        if (found !== outcome) fail(`${found} instead of ${outcome}`);
      }
    };
  }

  /** The verification step alone, of tokens that have not been seen. */
  function verifications(names: readonly string[]): Task {
    return async (count) => {
      let verifier = withOwnCache();
      for (let index = 0; index < count; index += 1) {
        if (index % names.length === 0) verifier = withOwnCache();
        const token = names[index % names.length] ?? fail("no token");
        const found =
          recallToken(token, verifier, sources.jwks, sources.scope) ??
          (await run(verifyToken(token, verifier, sources.jwks, sources.scope)));
        if ("code" in found) fail(found.code);
      }
    };
  }

  const withOwnCache = (): Gateway => ({ ...gateway, verified: createVerifiedCache() });
  const known = tokens["known"] ?? [];
  // where they lie in memory shows in what it takes to read them
  const apiHeaders = new Map(
    KNOWN_SIZES.filter((size) => size <= known.length).map((size): [number, Headers[]] => [
      size,
      headersFor(known.slice(0, size), "api"),
    ]),
  );
  const knownHeaders = (size: number): readonly Headers[] => apiHeaders.get(size) ?? fail("no such size");
  const knownTask = (headers: readonly Headers[], client: Client): [string, Task] => [
    `edge known ${headers.length} ${client}`,
    decisions(headers, "forward", withOwnCache()),
  ];
  const machineTasks = (tokens["m2m"] ?? []).map((token, index): [string, Task] => {
    const size = ALLOW_LIST_SIZES[index] ?? 0;
    const headers = headersFor([token], "api", `tenant-${size - 1}`);
    return [`edge m2m ${size}`, decisions(headers, "forward", withOwnCache())];
  });
  return {
    tasks: {
      "edge verify first": verifications(of("first")),
      "edge decide first": decisions(headersFor(of("first"), "api"), "forward"),
      ...Object.fromEntries([...apiHeaders.values()].map((headers) => knownTask(headers, "api"))),
      ...Object.fromEntries([knownTask(headersFor(known.slice(0, 1_000), "browser"), "browser")]),
      "edge junk": decisions(headersFor(of("junk"), "api"), "malformed_token", gateway),
      "edge forged": decisions(headersFor(of("forged"), "api"), "invalid_signature", gateway),
      "edge expired": decisions(headersFor(of("expired"), "api"), "token_expired", gateway),
      ...Object.fromEntries(machineTasks),
    },
    knownHeaders,
    async outcome(headers) {
      await decide(headers, gateway); // from here on its token is known
      const exchange = exchangeOf(headers);
      const decision = await run(authorize(exchange, gateway, sources));
      if (decision.kind !== "forward") return fail(decision.kind);
      return { upstream: decision.upstream, record: recordOf(exchange, decision) };
    },
    async remember(token) {
      for (const [headers] of [headersFor([token], "api"), headersFor([token], "api")])
        if ((await decide(headers ?? fail("no token"), gateway)) !== "forward") fail("not forwarded");
    },
  };
}
