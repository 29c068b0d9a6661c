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

function setCors(headers: Headers, corsOrigin: string | undefined): void {
  const exposed = headers.get("access-control-expose-headers");
  const vary = headers.get("vary");
  const replaced: string[] = [];
  headers.forEach((_value, name) => {
    if (name.startsWith("access-control-")) replaced.push(name);
  });
  for (const name of replaced) headers.delete(name);
  if (corsOrigin === undefined) return;
  for (const [name, value] of corsHeaders(corsOrigin, exposed)) headers.set(name, value);
  if (vary !== null)
    headers.set("vary", /(?:^|[\s,])(?:origin|\*)(?:$|[\s,])/i.test(vary) ? vary : `${vary}, Origin`);
}

/**
 * The origin's response, streamed on unchanged but for CORS, `x-request-id` and a `Location` of its own. Throws
 * a RangeError for a status that HTTP does not have.
 */
export function originResponse(
  response: Response,
  upstream: UpstreamRequest,
  facts: ResponseFacts,
): Response {
  const passed = new Response(response.body, response);
  setCors(passed.headers, facts.corsOrigin);
  passed.headers.set("x-request-id", facts.requestId);
  const location = passed.headers.get("location");
  if (location !== null)
    passed.headers.set("location", rewriteLocation(location, upstream, facts.gatewayOrigin));
  return passed;
}
