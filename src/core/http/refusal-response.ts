import type { Answer, HeaderList } from "../decision.ts";
import { type ErrorCode, errorRow, type Refusal } from "../errors.ts";
import { METADATA_PATH } from "./own-endpoints.ts";

/** What an answer tells of the gateway itself. */
export interface GatewayFacts {
  /** `realm` of a challenge. */
  readonly realm: string;
  /** Scheme and host that the client used: `https://api.example.com`. */
  readonly gatewayOrigin: string;
  readonly requestId: string;
}

function challenge(refusal: Refusal, { realm, gatewayOrigin }: GatewayFacts): string | undefined {
  const { challenge: kind } = errorRow(refusal.code);
  if (kind === "none") return undefined;
  const parameters = [`realm="${realm}"`];
  if (kind !== "bare") parameters.push(`error="${kind}"`);
  if (refusal.scopes !== undefined) parameters.push(`scope="${refusal.scopes.join(" ")}"`);
  parameters.push(`resource_metadata="${gatewayOrigin}${METADATA_PATH}"`);
  return `Bearer ${parameters.join(", ")}`;
}

/** The JSON body of a refusal. */
export const errorBody = (code: ErrorCode, requestId: string): string =>
  JSON.stringify({ error: code, message: errorRow(code).message, request_id: requestId });

/**
 * The response of a refusal: JSON, never stored, with the challenge of RFC 6750 section 3 and RFC 9728
 * section 5.1 where its code has one. Holds nothing of the token.
 */
export function refusalAnswer(refusal: Refusal, facts: GatewayFacts): Answer {
  const { status, retryAfterSeconds } = errorRow(refusal.code);
  const wwwAuthenticate = challenge(refusal, facts);
  const headers: (readonly [string, string])[] = [
    ["content-type", "application/json"],
    ["cache-control", "no-store"],
  ];
  if (wwwAuthenticate !== undefined) headers.push(["www-authenticate", wwwAuthenticate]);
  if (retryAfterSeconds !== undefined) headers.push(["retry-after", String(retryAfterSeconds)]);
  if (refusal.code === "method_not_allowed")
    headers.push(["allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"]); // RFC 9110 section 15.5.6
  return { status, headers: headers satisfies HeaderList, body: errorBody(refusal.code, facts.requestId) };
}
