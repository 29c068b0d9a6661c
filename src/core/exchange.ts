import type { Refusal } from "./errors.ts";
import type { ClientHeaders } from "./http/client-headers.ts";
import { type UrlParts, urlParts } from "./http/path.ts";
import type { CompiledRoute } from "./policy/schema.ts";
import type { Verification } from "./token/verify.ts";

/** The client's request, as far as the decision looks at it. Its body is not among it. */
export interface ClientRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: ClientHeaders;
  /** Address of the connection; undefined where the platform names none. */
  readonly clientIp: string | undefined;
}

/** The steps of a decision, in their order. */
export const STEPS = [
  "method",
  "path",
  "preflight",
  "own_endpoint",
  "route",
  "public_rate_limit",
  "token_present",
  "signature",
  "time",
  "token_use",
  "audience",
  "revocation",
  "caller",
  "tenant",
  "role",
  "scopes",
  "groups",
  "tenant_rate_limit",
  "forward",
] as const;
/** One of {@link STEPS}. */
export type Step = (typeof STEPS)[number];

/** One request on its way, with what has been found out about it so far. Only the decision writes to it. */
export interface Exchange {
  readonly request: ClientRequest;
  readonly requestId: string;
  readonly url: UrlParts;
  route: CompiledRoute | undefined;
  /** Set once the signature holds: nothing of a token is known, or logged, before. */
  verification: Verification | undefined;
  /** Set once it is verified for this request. */
  tenant: string | undefined;
  /** Told of every step that was taken, and of its refusal. For explaining a decision; the log does not use it. */
  readonly observe: ((step: Step, refusal: Refusal | undefined) => void) | undefined;
}

const REQUEST_ID = /^[\w-]{8,128}$/;

/** The caller's `x-request-id` if it is 8 to 128 of `A-Za-z0-9_-`, else a new UUID. */
const requestIdOf = (headers: ClientHeaders): string => {
  const given = headers.get("x-request-id");
  return given !== null && REQUEST_ID.test(given) ? given : crypto.randomUUID();
};

/** A class, so that the request id is asked for, or made up, only once somebody wants it. */
class OpenExchange implements Exchange {
  readonly request: ClientRequest;
  readonly url: UrlParts;
  readonly observe: Exchange["observe"];
  route: CompiledRoute | undefined = undefined;
  verification: Verification | undefined = undefined;
  tenant: string | undefined = undefined;
  #requestId: string | undefined = undefined;

  constructor(request: ClientRequest, observe: Exchange["observe"]) {
    this.request = request;
    this.url = urlParts(request.url);
    this.observe = observe;
  }

  get requestId(): string {
    this.#requestId ??= requestIdOf(this.request.headers);
    return this.#requestId;
  }
}

/** Begins an exchange. `observe` is told of each step as it is taken. */
export const createExchange = (
  request: ClientRequest,
  observe?: (step: Step, refusal: Refusal | undefined) => void,
): Exchange => new OpenExchange(request, observe);
