import type { ErrorCode, Refusal } from "./errors.ts";

/** Header names in lower case, and their values, in the order in which they are sent. */
export type HeaderList = readonly (readonly [name: string, value: string])[];

/** What becomes of the client's headers on their way to the origin. All others pass as they came. */
export interface HeaderEdits {
  /** Names in lower case that are not sent on. */
  readonly remove: readonly string[];
  /** Each sent exactly once. None of them is left of the client's, but where `remove` names it. */
  readonly set: HeaderList;
}

/** The request to send to the origin. Its body is the client's, untouched. */
export interface UpstreamRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: HeaderEdits;
  /** Scheme, host and stage path of the origin, of which a `Location` is rewritten. */
  readonly baseUrl: string;
  readonly basePath: string;
}

/** A response of the gateway's own. */
export interface Answer {
  readonly status: number;
  readonly headers: HeaderList;
  readonly body: string | null;
}

/** To be sent to the origin. */
export type ForwardDecision =
  | { readonly kind: "forward"; readonly upstream: UpstreamRequest }
  /** Report mode: forwarded without identity and proof, though a token step refused it. */
  | { readonly kind: "report"; readonly upstream: UpstreamRequest; readonly wouldHave: ErrorCode };

/** What is to be done with a request. The adapter does it. */
export type Decision =
  | ForwardDecision
  | { readonly kind: "refuse"; readonly refusal: Refusal }
  /** A preflight, or one of the gateway's own endpoints. */
  | { readonly kind: "answer"; readonly answer: Answer };

/** Builds a decision not to forward. */
export const refuse = (refusal: Refusal): Decision => ({ kind: "refuse", refusal });
