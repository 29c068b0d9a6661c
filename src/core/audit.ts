import type { Decision } from "./decision.ts";
import type { ErrorCode } from "./errors.ts";
import type { Exchange } from "./exchange.ts";
import type { CallerKind } from "./policy/schema.ts";
import type { KeyLayer } from "./token/jwks.ts";

/**
 * The log line of a request, and the only shape of it. There is no member that could hold a token, a query
 * string, a body or a header's value, `request_id` and the verified tenant aside.
 */
export interface AuditRecord {
  readonly event: "decision";
  readonly request_id: string;
  readonly method: string;
  /** The pattern of the route, never the path. */
  readonly route?: string | undefined;
  readonly decision: Decision["kind"];
  readonly error?: ErrorCode | undefined;
  /** Report mode: the code of the refusal that was not made. */
  readonly would_have?: ErrorCode | undefined;
  readonly status: number;
  readonly caller?: CallerKind | undefined;
  readonly sub?: string | undefined;
  readonly tenant?: string | undefined;
  readonly client_id?: string | undefined;
  readonly kid?: string | undefined;
  readonly token_use?: string | undefined;
  /** Where the key was found. */
  readonly jwks?: KeyLayer | undefined;
  /** Milliseconds spent in the gateway. */
  readonly edge_ms: number;
  /** Milliseconds until the origin's response headers. */
  readonly origin_ms?: number | undefined;
  readonly colo?: string | undefined;
}

/** How a request ended, as the adapter saw it. */
export interface Ending {
  readonly decision: Decision;
  readonly status: number;
  /** A failure of the forwarding itself, after the decision. */
  readonly error?: ErrorCode | undefined;
  readonly edgeMs: number;
  readonly originMs?: number | undefined;
  readonly colo?: string | undefined;
}

/** The log line of an exchange. What a token says is in it only if its signature held. */
export function auditRecord(exchange: Exchange, ending: Ending): AuditRecord {
  const { decision } = ending;
  const token = exchange.verification?.token;
  return {
    event: "decision",
    request_id: exchange.requestId,
    method: exchange.request.method,
    route: exchange.route?.pattern.text,
    decision: ending.error === undefined ? decision.kind : "refuse",
    error: ending.error ?? (decision.kind === "refuse" ? decision.refusal.code : undefined),
    would_have: decision.kind === "report" ? decision.wouldHave : undefined,
    status: ending.status,
    caller: token?.principal.caller,
    sub: token?.principal.sub,
    tenant: exchange.tenant,
    client_id: token?.principal.clientId,
    kid: token?.kid,
    token_use: token?.principal.tokenUse,
    jwks: exchange.verification?.layer,
    edge_ms: ending.edgeMs,
    origin_ms: ending.originMs,
    colo: ending.colo,
  };
}
