import type { JWK } from "jose";
import { type AuditRecord, auditRecord } from "../../src/core/audit.ts";
import { authorize } from "../../src/core/authorize.ts";
import { parseConfig } from "../../src/core/config.ts";
import type { Decision, HeaderList } from "../../src/core/decision.ts";
import { createExchange } from "../../src/core/exchange.ts";
import { createGateway, type Sources } from "../../src/core/gateway.ts";
import { editedHeaders } from "../../src/core/http/upstream-headers.ts";
import { compilePolicy } from "../../src/core/policy/define.ts";
import { run } from "../../src/core/steps.ts";

/** A pool of {@link createDecider}: one issuer and the keys that it publishes at the moment. */
export interface TestPool {
  readonly issuer: string;
  readonly clientIds?: readonly string[];
  /** Asked for at every fetch; a member need not be a usable key. */
  readonly keys: () => readonly (JWK | Record<string, unknown>)[];
}

/** What a decider is made of. */
export interface DeciderOptions {
  readonly pools: readonly TestPool[];
  /** Default: every path is open to any caller that is verified, with or without a tenant. */
  readonly policy?: unknown;
  readonly vars?: Readonly<Record<string, unknown>>;
  /** Text of every machine's allow-list; default any tenant. */
  readonly allowList?: string | null;
  /** Take the place of the sources in memory: stores that fail, revocations, rate limits. */
  readonly sources?: Partial<Omit<Sources, "scope">>;
  /** Milliseconds since the epoch; asked for again and again. */
  readonly now: () => number;
}

/** A request to decide on. */
export interface TestRequest {
  readonly method?: string;
  readonly url?: string;
  readonly headers?: HeadersInit;
  /** Undefined: the platform names no address. Default 203.0.113.7. */
  readonly clientIp?: string | undefined;
}

/** A decision with everything that was found out on the way. */
export interface Explained {
  readonly decision: Decision;
  /** `forward`, `report CODE`, `answer STATUS`, or the code of the refusal. */
  readonly outcome: string;
  /** False: everything that it took was at hand. */
  readonly waited: boolean;
  /** Every step that was observed, with the code of its refusal: `path`, `route route_not_found`. */
  readonly steps: readonly string[];
  /** What would be logged. */
  readonly record: AuditRecord;
  /** The header lines that the origin would be sent, by name; none where nothing is forwarded. */
  readonly sent: Readonly<Record<string, string>>;
}

/** The header lines that the origin is sent with a decision on a request of these headers. */
export const sentLines = (decision: Decision, headers: HeadersInit = {}): HeaderList =>
  "upstream" in decision ? editedHeaders(new Headers(headers), decision.upstream.headers) : [];

/** The core's whole decision, with stores in memory: no runtime, no network. */
export interface Decider {
  decide(request: TestRequest): Promise<Decision>;
  /** Decides, and tells how. */
  explain(request: TestRequest): Promise<Explained>;
  /** `forward`, or the code of the refusal, for `Authorization: Bearer <token>`. */
  outcome(token: string): Promise<string>;
  /** The same for any `Authorization` value, also one that no HTTP message could carry. */
  outcomeOf(authorization: string): Promise<string>;
  /** Resolves once all work has ended that was to go on after its request. */
  settled(): Promise<void>;
  /** Every URL that keys were fetched from, in order. */
  readonly fetched: string[];
  /** Events of the notices that were reported. */
  readonly reported: string[];
}

const OPEN_POLICY = { roles: ["viewer", "admin"], routes: [{ path: "/*", tenant: false }] };

function outcomeText(decision: Decision): string {
  if (decision.kind === "refuse") return decision.refusal.code;
  if (decision.kind === "report") return `report ${decision.wouldHave}`;
  return decision.kind === "answer" ? `answer ${decision.answer.status}` : "forward";
}

/** Builds a decider; throws where configuration or policy have a fault. */
export function createDecider(options: DeciderOptions): Decider {
  const fetched: string[] = [];
  const reported: string[] = [];
  const deferred: Promise<unknown>[] = [];
  const config = parseConfig({
    ORIGIN_URL: "https://origin.example/prod",
    USER_POOLS: options.pools.map(({ issuer, clientIds }, index) => ({
      id: `us-east-2_Pool${index}`,
      client_ids: clientIds ?? ["app-client"],
      issuers: [{ issuer, jwks_url: `${issuer}/.well-known/jwks.json` }],
    })),
    SKEW_TOLERANCE_SECONDS: 0,
    ...options.vars,
  });
  const policy = compilePolicy(options.policy ?? OPEN_POLICY);
  if (!config.ok || !policy.ok) throw new Error("configuration or policy has a fault");
  const created = createGateway(config.value, policy.value);
  if (!created.ok) throw new Error(created.faults.join("\n"));
  const gateway = created.value;

  const nowhere = { get: async () => undefined, put: async () => undefined };
  const sources: Sources = {
    scope: {
      now: options.now,
      defer: (work) => deferred.push(work),
      within: (work) => work,
      report: ({ event }) => reported.push(event),
    },
    jwks: {
      cache: nowhere,
      kv: nowhere,
      async fetch(url) {
        fetched.push(url);
        const pool = options.pools.find(({ issuer }) => url.startsWith(`${issuer}/`));
        return pool === undefined ? { status: 404 } : { status: 200, body: { keys: pool.keys() } };
      },
    },
    readAllowList: async () => (options.allowList === undefined ? '["*"]' : options.allowList),
    listRevocations: undefined,
    publicRateLimit: undefined,
    tenantRateLimit: undefined,
    ...options.sources,
  };

  async function explain(request: TestRequest): Promise<Explained> {
    const { method = "GET", url = "https://api.example/x", headers = {} } = request;
    const clientIp = "clientIp" in request ? request.clientIp : "203.0.113.7";
    const steps: string[] = [];
    const exchange = createExchange(
      { method, url, headers: new Headers(headers), clientIp },
      (step, refused) => steps.push(refused === undefined ? step : `${step} ${refused.code}`),
    );
    const decided = run(authorize(exchange, gateway, sources));
    const waited = decided instanceof Promise;
    const decision = await decided;
    const record = auditRecord(exchange, { decision, status: 0, edgeMs: 0 });
    const sent = Object.fromEntries(sentLines(decision, headers));
    return { decision, outcome: outcomeText(decision), waited, steps, record, sent };
  }

  async function outcomeOf(authorization: string): Promise<string> {
    const headers = new Headers();
    headers.get = (name) => (name === "authorization" ? authorization : null); // set() would trim or throw
    const request = { method: "GET", url: "https://api.example/x", headers, clientIp: undefined };
    const decision = await run(authorize(createExchange(request), gateway, sources));
    return decision.kind === "refuse" ? decision.refusal.code : decision.kind;
  }

  return {
    decide: async (request) => (await explain(request)).decision,
    explain,
    outcome: (token) => outcomeOf(`Bearer ${token}`),
    outcomeOf,
    async settled() {
      while (deferred.length > 0) await deferred.pop();
    },
    fetched,
    reported,
  };
}
