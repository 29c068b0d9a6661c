import type { AtStart } from "../core/at-start.ts";
import { auditRecord } from "../core/audit.ts";
import { authorize, corsOriginOf } from "../core/authorize.ts";
import type { Parsed } from "../core/config.ts";
import { type Answer, type Decision, type ForwardDecision, refuse } from "../core/decision.ts";
import { type ErrorCode, type Refusal, refusal } from "../core/errors.ts";
import { type ClientRequest, createExchange, type Exchange } from "../core/exchange.ts";
import { createGateway, type Gateway, type Sources } from "../core/gateway.ts";
import { type ClientHeaders, readHeaders } from "../core/http/client-headers.ts";
import { isHealthPath, misconfiguredHealth } from "../core/http/own-endpoints.ts";
import { refusalAnswer } from "../core/http/refusal-response.ts";
import { compilePolicy } from "../core/policy/define.ts";
import type { Policy } from "../core/policy/schema.ts";
import { run } from "../core/steps.ts";
import { type Env, readEnv } from "./env.ts";
import { type ForwardFailure, forward } from "./forward.ts";
import { createPerEnvironment } from "./per-environment.ts";
import { answerResponse, originResponse, type ResponseFacts } from "./respond.ts";
import { listRevocations } from "./revocation-list.ts";
import { createScope, report, within } from "./scope.ts";
import { createJwksSources, readAllowList } from "./stores.ts";

const RATE_LIMIT_MS = 1_000;

/** A limit protects the API from floods, not from strangers: when it fails, requests go on, and the log tells. */
const rateLimit = (binding: RateLimit, name: string) => async (key: string) => {
  try {
    return (await within(binding.limit({ key }), RATE_LIMIT_MS)).success;
  } catch {
    report({ event: "rate_limit_failed", binding: name });
    return true;
  }
};

function createSources(env: Env, context: ExecutionContext, gatewayOrigin: string | undefined): Sources {
  const { REVOCATIONS, PUBLIC_RATE_LIMIT, TENANT_RATE_LIMIT } = env;
  return {
    scope: createScope(context),
    jwks: createJwksSources(env.JWKS, gatewayOrigin),
    readAllowList: (clientId) => readAllowList(env.M2M_TENANTS, clientId),
    listRevocations: REVOCATIONS && (() => listRevocations(REVOCATIONS)),
    publicRateLimit: PUBLIC_RATE_LIMIT && rateLimit(PUBLIC_RATE_LIMIT, "PUBLIC_RATE_LIMIT"),
    tenantRateLimit: TENANT_RATE_LIMIT && rateLimit(TENANT_RATE_LIMIT, "TENANT_RATE_LIMIT"),
  };
}

/** A class, so that the address is asked for only once somebody wants it. */
class WorkerRequest implements ClientRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: ClientHeaders;

  constructor({ method, url, headers }: Request) {
    this.method = method;
    this.url = url;
    this.headers = readHeaders(headers);
  }

  get clientIp(): string | undefined {
    return this.headers.get("cf-connecting-ip") ?? undefined;
  }
}

/** A request on its way through the gateway. */
interface Passage {
  readonly request: Request;
  readonly exchange: Exchange;
  /** Undefined where the configuration does not validate. */
  readonly gateway: Gateway | undefined;
  readonly startedAtMs: number;
}

/** How a request ended, beside its response. */
interface Ending {
  readonly decision: Decision;
  readonly error?: ErrorCode | undefined;
  readonly originMs?: number | undefined;
}

function log(passage: Passage, status: number, { decision, error, originMs }: Ending): void {
  const { exchange, request, startedAtMs } = passage;
  const colo = request.cf?.colo;
  const record = auditRecord(exchange, {
    decision,
    status,
    error,
    edgeMs: Date.now() - startedAtMs - (originMs ?? 0),
    originMs,
    colo: typeof colo === "string" ? colo : undefined,
  });
  console.log(JSON.stringify(record));
}

function factsOf({ exchange, gateway }: Passage): ResponseFacts {
  const corsOrigin = gateway && corsOriginOf(exchange, gateway);
  return { requestId: exchange.requestId, corsOrigin, gatewayOrigin: exchange.url.origin };
}

function answerWith(passage: Passage, answer: Answer, ending: Ending): Response {
  const response = answerResponse(answer, factsOf(passage));
  log(passage, response.status, ending);
  return response;
}

function refuseWith(passage: Passage, refused: Refusal, originMs?: number): Response {
  const realm = passage.gateway?.config.realm ?? "edge";
  const answer = refusalAnswer(refused, { ...factsOf(passage), realm });
  return answerWith(passage, answer, { decision: refuse(refused), error: refused.code, originMs });
}

/** Nothing is forwarded by a gateway that does not know what to enforce. */
function answerMisconfigured(passage: Passage): Response {
  if (!isHealthPath(passage.exchange.url.rawPath)) return refuseWith(passage, refusal("misconfigured"));
  const answer = misconfiguredHealth();
  return answerWith(passage, answer, { decision: { kind: "answer", answer } });
}

/** What the client gets for what came of forwarding. */
function passOn(
  passage: Passage,
  decision: ForwardDecision,
  received: Response | ForwardFailure,
  originMs: number,
): Response {
  if (typeof received === "string") return refuseWith(passage, refusal(received), originMs);
  let response: Response;
  try {
    response = originResponse(received, decision.upstream, factsOf(passage));
  } catch {
    return refuseWith(passage, refusal("origin_unreachable"), originMs); // no HTTP status
  }
  log(passage, response.status, { decision, originMs });
  return response;
}

function carryOut(passage: Passage, decision: Decision, timeoutMs: number): Response | Promise<Response> {
  if (decision.kind === "refuse") return refuseWith(passage, decision.refusal);
  if (decision.kind === "answer") return answerWith(passage, decision.answer, { decision });
  const sentAtMs = Date.now();
  return forward(decision.upstream, passage.request, timeoutMs, (received) =>
    passOn(passage, decision, received, Date.now() - sentAtMs),
  );
}

function answerBug(passage: Passage, error: unknown): Response {
  const reason = error instanceof Error ? error.name : "unknown"; // a message could quote the request
  report({ event: "internal_error", request_id: passage.exchange.requestId, reason });
  return refuseWith(passage, refusal("internal_error"));
}

/** Without a promise where nothing has to be waited for: each costs about as much as the whole decision. */
function decideAndCarryOut(
  passage: Passage,
  gateway: Gateway,
  sources: Sources,
): Response | Promise<Response> {
  const { originTimeoutMs } = gateway.config;
  const onBug = (error: unknown): Response => answerBug(passage, error);
  try {
    const decided = run(authorize(passage.exchange, gateway, sources));
    const response =
      decided instanceof Promise
        ? decided.then((decision) => carryOut(passage, decision, originTimeoutMs))
        : carryOut(passage, decided, originTimeoutMs);
    return response instanceof Promise ? response.catch(onBug) : response;
  } catch (error) {
    return onBug(error);
  }
}

/**
 * Builds the Worker of a policy: `export default createWorker(policy)`. Bindings are read from the handler's
 * `env` alone. A policy or an environment that does not validate answers `500 misconfigured` to every request
 * but health, forwards nothing, and logs each fault with its path; it never throws. `fetch` always returns a promise.
 */
export const createWorker = ((policy: Policy): ExportedHandler<Env> => {
  let gatewayOrigin: string | undefined; // the last that was seen here: a cron run has no host of its own
  const gatewayOf = createPerEnvironment((env): Parsed<Gateway> => {
    const config = readEnv(env);
    const compiled = compilePolicy(policy); // not at start-up, where every isolate would pay for it
    const gateway = config.ok && compiled.ok ? createGateway(config.value, compiled.value) : undefined;
    if (gateway?.ok) return gateway;
    const faults = [config, compiled, gateway].flatMap((part) => (part?.ok === false ? part.faults : []));
    report({ event: "misconfigured", faults });
    return { ok: false, faults };
  });

  return {
    fetch(request, env, context) {
      const startedAtMs = Date.now();
      const exchange = createExchange(new WorkerRequest(request));
      gatewayOrigin = exchange.url.origin;
      const found = gatewayOf(env);
      const gateway = found.ok ? found.value : undefined;
      const passage = { request, exchange, gateway, startedAtMs };
      const response =
        gateway === undefined
          ? answerMisconfigured(passage)
          : decideAndCarryOut(passage, gateway, createSources(env, context, gatewayOrigin));
      if (!(response instanceof Promise)) return Promise.resolve(response); // wrappers may call `then`
      context.waitUntil(response); // else a client that resets its connection ends it, forwarded but not logged
      return response;
    },

    async scheduled(_controller, env, context) {
      const gateway = gatewayOf(env);
      if (!gateway.ok) return;
      const { scope, jwks: sources } = createSources(env, context, gatewayOrigin);
      const issuers = [...gateway.value.config.issuers.values()];
      await Promise.all(issuers.map(({ issuer }) => gateway.value.jwks.warm(issuer, sources, scope)));
    },
  };
}) satisfies AtStart;
