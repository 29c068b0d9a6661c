import { once } from "./once.ts";

/** What kind of `WWW-Authenticate` challenge a refusal carries (RFC 6750 section 3). */
export type ChallengeKind = "none" | "bare" | "invalid_token" | "insufficient_scope";

interface Row {
  /** HTTP status code. */
  readonly status: number;
  readonly challenge: ChallengeKind;
  /** Seconds for `Retry-After`, where asking again later can help. */
  readonly retryAfterSeconds?: number;
  /** One plain sentence for the caller: what to do. Never holds anything from the request. */
  readonly message: string;
}

/**
 * The closed catalogue of refusals. A code without a row does not compile, and no other file knows a
 * status, so what is documented and what is answered cannot drift apart.
 */
function createCatalogue() {
  return {
    invalid_path: {
      status: 400,
      challenge: "none",
      message:
        "Send a path without empty segments, backslashes, semicolons, control characters or encoded delimiters.",
    },
    missing_tenant_header: {
      status: 400,
      challenge: "none",
      message: "Name the tenant that you act for in exactly one x-tenant-id header.",
    },
    missing_token: {
      status: 401,
      challenge: "bare",
      message: "Send a Cognito token in the Authorization header, as Bearer followed by the token.",
    },
    malformed_token: {
      status: 401,
      challenge: "invalid_token",
      message: "Send exactly one JWT in the Authorization header, as Bearer followed by the token.",
    },
    invalid_signature: {
      status: 401,
      challenge: "invalid_token",
      message: "Sign in again: this token was not issued by a user pool that this API trusts.",
    },
    token_expired: {
      status: 401,
      challenge: "invalid_token",
      message: "Refresh the token or sign in again: it has expired.",
    },
    token_not_yet_valid: {
      status: 401,
      challenge: "invalid_token",
      message: "Check the clock of the issuer and the caller: this token is not valid yet.",
    },
    invalid_claims: {
      status: 401,
      challenge: "invalid_token",
      message: "Get a new token: a required claim is missing from this one or has the wrong type.",
    },
    invalid_token_use: {
      status: 401,
      challenge: "invalid_token",
      message: "Send the other kind of token: this route does not take this one (ID token or access token).",
    },
    invalid_audience: {
      status: 401,
      challenge: "invalid_token",
      message: "Use a token of an app client that this API serves: this one was issued for another audience.",
    },
    token_revoked: {
      status: 401,
      challenge: "invalid_token",
      message: "Sign in again: this token has been revoked.",
    },
    caller_not_allowed: {
      status: 403,
      challenge: "none",
      message: "Use the other kind of caller: this route does not take this one (person or machine client).",
    },
    missing_tenant_claim: {
      status: 403,
      challenge: "none",
      message: "Ask an administrator to assign your account to a tenant, then sign in again.",
    },
    tenant_mismatch: {
      status: 403,
      challenge: "none",
      message: "Name your own tenant: the request names a tenant other than the one you belong to.",
    },
    tenant_not_allowed: {
      status: 403,
      challenge: "none",
      message: "Ask an operator to add this tenant to the client's allow-list.",
    },
    insufficient_role: {
      status: 403,
      challenge: "none",
      message: "Ask an administrator for a higher role: this route needs one.",
    },
    insufficient_scope: {
      status: 403,
      challenge: "insufficient_scope",
      message: "Request a token with a scope that this route needs; the WWW-Authenticate header names them.",
    },
    insufficient_group: {
      status: 403,
      challenge: "none",
      message: "Ask an administrator to add you to a group that this route needs.",
    },
    route_denied: {
      status: 403,
      challenge: "none",
      message: "Do not call this route: it is closed to every caller.",
    },
    route_not_found: {
      status: 404,
      challenge: "none",
      message: "Check the path and the method: the API has no such route.",
    },
    method_not_allowed: {
      status: 405,
      challenge: "none",
      message: "Use another method: CONNECT and TRACE are never served.",
    },
    rate_limited: {
      status: 429,
      challenge: "none",
      retryAfterSeconds: 60,
      message: "Wait a minute before you try again: too many requests.",
    },
    headers_too_large: {
      status: 431,
      challenge: "none",
      message: "Send fewer or shorter headers: the API takes 10,240 bytes of request line and headers.",
    },
    misconfigured: {
      status: 500,
      challenge: "none",
      message: "Tell the operator: the gateway's configuration is invalid, and its log names each fault.",
    },
    internal_error: {
      status: 500,
      challenge: "none",
      message: "Tell the operator, with this request_id: the gateway failed and forwarded nothing.",
    },
    origin_unreachable: {
      status: 502,
      challenge: "none",
      message: "Try again later: the API behind the gateway could not be reached.",
    },
    jwks_unavailable: {
      status: 503,
      challenge: "none",
      retryAfterSeconds: 10,
      message: "Try again in a few seconds: the signing keys cannot be fetched at the moment.",
    },
    allowlist_unavailable: {
      status: 503,
      challenge: "none",
      retryAfterSeconds: 10,
      message: "Try again in a few seconds: the client's allow-list cannot be read at the moment.",
    },
    revocations_unavailable: {
      status: 503,
      challenge: "none",
      retryAfterSeconds: 10,
      message: "Try again in a few seconds: the list of revoked tokens cannot be read at the moment.",
    },
    origin_timeout: {
      status: 504,
      challenge: "none",
      message: "Try again later: the API behind the gateway did not answer in time.",
    },
  } as const satisfies Record<string, Row>;
}

const catalogue = once(createCatalogue);

/** Every `error` code that a caller can be answered with. */
export type ErrorCode = keyof ReturnType<typeof createCatalogue>;

/** The catalogue's row of a code. */
export const errorRow = (code: ErrorCode): Row => catalogue()[code];

/** All codes, in the order of their status; for documentation, checks and tests. */
export const errorCodes = (): readonly ErrorCode[] => Object.keys(catalogue()) as ErrorCode[];

/**
 * An expected failure, as a value. `scopes` are those that the challenge of `insufficient_scope` names.
 */
export interface Refusal {
  readonly code: ErrorCode;
  readonly scopes?: readonly string[];
}

/** Builds a refusal; `scopes` only for `insufficient_scope`. */
export const refusal = (code: ErrorCode, scopes?: readonly string[]): Refusal =>
  scopes === undefined ? { code } : { code, scopes };

/** Tells a refusal from any other value that a step can return. */
export const isRefusal = (value: unknown): value is Refusal =>
  typeof value === "object" && value !== null && (value as Partial<Refusal>).code !== undefined;
