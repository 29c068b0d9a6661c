import type { Answer, UpstreamRequest } from "../core/decision.ts";
import { corsHeaders } from "../core/http/cors.ts";
import { rewriteLocation } from "../core/http/location.ts";

/** What every response of one exchange carries. */
export interface ResponseFacts {
  readonly requestId: string;
  /** The page's origin, where it may read the response. */
  readonly corsOrigin: string | undefined;
  /** Scheme and host that the client used. */
  readonly gatewayOrigin: string;
}

/** A response of the gateway's own. */
export function answerResponse(answer: Answer, { requestId, corsOrigin }: ResponseFacts): Response {
  const headers = new Headers({ "x-request-id": requestId });
  for (const [name, value] of answer.headers) headers.set(name, value);
  if (corsOrigin !== undefined) for (const [name, value] of corsHeaders(corsOrigin)) headers.set(name, value);
  return new Response(answer.body, { status: answer.status, headers });
}

const KNOWS_ORIGIN = /(?:^|[\s,])(?:origin|\*)(?:$|[\s,])/i;

const withOrigin = (vary: string): string => (KNOWS_ORIGIN.test(vary) ? vary : `${vary}, Origin`);

/**
 * The origin's response, streamed on unchanged but for CORS, `x-request-id` and a `Location` of its own. Throws
 * a RangeError for a status that HTTP does not have.
 */
export function originResponse(
  response: Response,
  upstream: UpstreamRequest,
  { requestId, corsOrigin, gatewayOrigin }: ResponseFacts,
): Response {
  const passed = new Response(response.body, response);
  const { headers } = passed;
  let exposed: string | undefined;
  let vary: string | undefined;
  response.headers.forEach((value, name) => {
    if (name === "access-control-expose-headers") exposed = value;
    if (name.startsWith("access-control-")) headers.delete(name);
    else if (name === "vary") vary = value;
    else if (name === "location") headers.set(name, rewriteLocation(value, upstream, gatewayOrigin));
  });
  if (corsOrigin !== undefined) {
    for (const [name, value] of corsHeaders(corsOrigin, exposed)) headers.set(name, value);
    if (vary !== undefined) headers.set("vary", withOrigin(vary));
  }
  headers.set("x-request-id", requestId);
  return passed;
}
