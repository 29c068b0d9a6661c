import { authorize } from "../core/authorize.ts";
import type { Decision } from "../core/decision.ts";
import { isRefusal, type Refusal } from "../core/errors.ts";
import { createExchange, type Exchange, type Step } from "../core/exchange.ts";
import type { Gateway, Sources } from "../core/gateway.ts";
import type { ClientHeaders } from "../core/http/client-headers.ts";
import type { Notice, Scope } from "../core/scope.ts";
import { run } from "../core/steps.ts";
import { type AllowList, parseAllowList } from "../core/tenant/allow-list.ts";
import type { RevocationEntry } from "../core/tenant/revocations.ts";
import { bearerToken, decodeToken, type UnverifiedToken } from "../core/token/bearer.ts";
import type { JwksAnswer } from "../core/token/jwks.ts";

/** The request to explain. */
export interface ExplainedRequest {
  readonly method: string;
  /** Absolute: the host is the gateway's. */
  readonly url: string;
  readonly headers: Headers;
}

/** Where keys, allow-lists and revocations are read from. All may reject. */
export interface ExplainSources {
  fetchJwks(jwksUrl: string): Promise<JwksAnswer>;
  readAllowList(clientId: string): Promise<string | null>;
  /** Undefined: revocations are not used. */
  readonly listRevocations: (() => Promise<readonly RevocationEntry[]>) | undefined;
}

/** A step that was taken, and what it refused. */
export interface TakenStep {
  readonly step: Step;
  readonly refusal: Refusal | undefined;
}

/** A decision, and everything that led to it. */
export interface Trace {
  readonly gateway: Gateway;
  readonly exchange: Exchange;
  readonly decision: Decision;
  readonly taken: readonly TakenStep[];
  readonly nowMs: number;
  /** What the token says, proven or not; undefined where it cannot be decoded. */
  readonly unverified: UnverifiedToken | undefined;
  /** Key ids of the sets that were fetched, by address. */
  readonly fetched: ReadonlyMap<string, JwksAnswer>;
  /** The machine's list, where the decision asked for it. */
  readonly allowList: { readonly list: AllowList | "none" | undefined } | undefined;
  readonly revocations: readonly RevocationEntry[] | undefined;
  /** Why a source could not be read. */
  readonly failures: readonly string[];
  readonly notices: readonly Notice[];
}

const NO_STORE = { get: async () => undefined, put: async () => undefined };

function unverifiedOf(headers: ClientHeaders): UnverifiedToken | undefined {
  const token = bearerToken(headers.get("authorization"));
  const decoded = isRefusal(token) ? token : decodeToken(token);
  return isRefusal(decoded) ? undefined : decoded;
}

/** Runs the very core over a request, and keeps what each step saw. Nothing is sent to the origin. */
export async function explainRequest(
  request: ExplainedRequest,
  gateway: Gateway,
  sources: ExplainSources,
): Promise<Trace> {
  const taken: TakenStep[] = [];
  const failures: string[] = [];
  const notices: Notice[] = [];
  const fetched = new Map<string, JwksAnswer>();
  const unverified = unverifiedOf(request.headers);
  const { listRevocations } = sources;
  const read: { allowList: Trace["allowList"]; revocations: Trace["revocations"] } = {
    allowList: undefined,
    revocations: undefined,
  };

  /** Keeps the reason of a failure: the core only tells that there was one. */
  async function noting<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error));
      throw error;
    }
  }

  const nowMs = Date.now();
  const deferred: Promise<unknown>[] = [];
  const scope: Scope = {
    now: () => nowMs,
    defer: (work) => void deferred.push(work),
    within: (work) => work, // a run of wrangler takes longer than KV may, and the command can wait
    report: (notice) => void notices.push(notice),
  };
  const coreSources: Sources = {
    scope,
    jwks: {
      cache: NO_STORE,
      kv: NO_STORE,
      async fetch(jwksUrl) {
        const answer = await noting(sources.fetchJwks(jwksUrl));
        fetched.set(jwksUrl, answer);
        return answer;
      },
    },
    async readAllowList(clientId) {
      const text = await noting(sources.readAllowList(clientId));
      read.allowList = { list: text === null ? "none" : parseAllowList(text) };
      return text;
    },
    listRevocations:
      listRevocations &&
      (async () => {
        read.revocations = await noting(listRevocations());
        return read.revocations;
      }),
    publicRateLimit: undefined,
    tenantRateLimit: undefined,
  };
  const exchange = createExchange({ ...request, clientIp: "192.0.2.1" }, (step, refusal) =>
    taken.push({ step, refusal }),
  );
  const decision = await run(authorize(exchange, gateway, coreSources));
  await Promise.allSettled(deferred);
  return { gateway, exchange, decision, taken, nowMs, unverified, fetched, ...read, failures, notices };
}
