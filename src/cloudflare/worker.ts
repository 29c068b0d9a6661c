import { auditRecord } from "../core/audit.ts";
import { authorize, corsOriginOf } from "../core/authorize.ts";
import type { Parsed } from "../core/config.ts";
import { type Answer, type Decision, refuse } from "../core/decision.ts";
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
import { forward } from "./forward.ts";
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

/** A decision that has been carried out. */
interface Outcome {
  readonly decision: Decision;
  readonly response: Response;
  readonly error?: ErrorCode;
  readonly originMs?: number;
}

function factsOf(exchange: Exchange, gateway: Gateway | undefined): ResponseFacts {
  const corsOrigin = gateway && corsOriginOf(exchange, gateway);
  return { requestId: exchange.requestId, corsOrigin, gatewayOrigin: exchange.url.origin };
}

function refuseWith(refused: Refusal, exchange: Exchange, gateway: Gateway | undefined): Outcome {
  const facts = factsOf(exchange, gateway);
  const answer = refusalAnswer(refused, { ...facts, realm: gateway?.config.realm ?? "edge" });
  return { decision: refuse(refused), response: answerResponse(answer, facts), error: refused.code };
}

const answerWith = (answer: Answer, exchange: Exchange, gateway?: Gateway): Outcome => ({
  decision: { kind: "answer", answer },
  response: answerResponse(answer, factsOf(exchange, gateway)),
});

/** Nothing is forwarded by a gateway that does not know what to enforce. */
function answerMisconfigured(exchange: Exchange): Outcome {
  return isHealthPath(exchange.url.rawPath)
    ? answerWith(misconfiguredHealth(), exchange)
    : refuseWith(refusal("misconfigured"), exchange, undefined);
}

async function carryOut(
  decision: Decision,
  request: Request,
  exchange: Exchange,
  gateway: Gateway,
): Promise<Outcome> {
  if (decision.kind === "refuse") return refuseWith(decision.refusal, exchange, gateway);
  if (decision.kind === "answer") return answerWith(decision.answer, exchange, gateway);
  const startedAtMs = Date.now();
  const response = await forward(decision.upstream, request, gateway.config.originTimeoutMs);
  const originMs = Date.now() - startedAtMs;
  if (typeof response === "string") return { ...refuseWith(refusal(response), exchange, gateway), originMs };
  try {
    return {
      decision,
      response: originResponse(response, decision.upstream, factsOf(exchange, gateway)),
      originMs,
    };
  } catch {
    return { ...refuseWith(refusal("origin_unreachable"), exchange, gateway), originMs }; // no HTTP status
  }
}

async function handle(
  request: Request,
  exchange: Exchange,
  gateway: Gateway,
  sources: Sources,
): Promise<Outcome> {
  try {
    const decided = run(authorize(exchange, gateway, sources));
    const decision = decided instanceof Promise ? await decided : decided;
    return await carryOut(decision, request, exchange, gateway);
  } catch (error) {
    const reason = error instanceof Error ? error.name : "unknown"; // a message could quote the request
    report({ event: "internal_error", request_id: exchange.requestId, reason });
    return refuseWith(refusal("internal_error"), exchange, gateway);
  }
}

function log(outcome: Outcome, exchange: Exchange, startedAtMs: number, request: Request): void {
  const { decision, response, error, originMs } = outcome;
  const colo = request.cf?.colo;
  const record = auditRecord(exchange, {
    decision,
    status: response.status,
    ...(error !== undefined && { error }),
    edgeMs: Date.now() - startedAtMs - (originMs ?? 0),
    ...(originMs !== undefined && { originMs }),
    colo: typeof colo === "string" ? colo : undefined,
  });
  console.log(JSON.stringify(record));
}

/**
 * Builds the Worker of a policy: `export default createWorker(policy)`. Bindings are read from the handler's
 * `env` alone. A policy or an environment that does not validate answers `500 misconfigured` to every request
 * but health, forwards nothing, and logs each fault with its path; it never throws.
 */
export function createWorker(policy: Policy): ExportedHandler<Env> {
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

  async function answer(request: Request, env: Env, context: ExecutionContext): Promise<Response> {
    const startedAtMs = Date.now();
    const exchange = createExchange(new WorkerRequest(request));
    gatewayOrigin = exchange.url.origin;
    const gateway = gatewayOf(env);
    const outcome = gateway.ok
      ? await handle(request, exchange, gateway.value, createSources(env, context, exchange.url.origin))
      : answerMisconfigured(exchange);
    log(outcome, exchange, startedAtMs, request);
    return outcome.response;
  }

  return {
    fetch(request, env, context) {
      const response = answer(request, env, context);
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
}
