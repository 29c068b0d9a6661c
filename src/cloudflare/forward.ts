import type { HeaderEdits, UpstreamRequest } from "../core/decision.ts";
import type { ErrorCode } from "../core/errors.ts";

/** Why there is no answer of the origin. */
export type ForwardFailure = Extract<ErrorCode, "origin_unreachable" | "origin_timeout">;

/** Copied as a whole and edited: workerd takes longer to be handed headers one by one. */
function edited(clientHeaders: Headers, { remove, set }: HeaderEdits): Headers {
  const headers = new Headers(clientHeaders);
  for (const name of remove) headers.delete(name);
  for (const [name, value] of set) headers.set(name, value);
  return headers;
}

// Cloudflare's own answers for an origin that it cannot reach: 520 to 527, and 530 where there is no such host.
const NO_ANSWER_IN_TIME = new Set([522, 524]);
const isCloudflareStatus = (status: number): boolean => (status >= 520 && status <= 527) || status === 530;

/**
 * In production a failed connection is no exception but a page of Cloudflare's (Workers: known issues, error 1016).
 * The same status from an API is passed on: API Gateway names its requests, and is not served by Cloudflare.
 */
function failureIn({ status, headers }: Response): ForwardFailure | undefined {
  if (!isCloudflareStatus(status) || headers.get("server") !== "cloudflare") return undefined;
  if (headers.has("apigw-requestid") || headers.has("x-amzn-requestid")) return undefined;
  return NO_ANSWER_IN_TIME.has(status) ? "origin_timeout" : "origin_unreachable";
}

const hasNoBody = (method: string): boolean => method === "GET" || method === "HEAD";

function send(upstream: UpstreamRequest, request: Request): Promise<Response> {
  const init = {
    headers: edited(request.headers, upstream.headers),
    redirect: "manual",
    cache: "no-store", // else an extension such as .csv is cached by URL, whoever asks
  } satisfies RequestInit;
  if (hasNoBody(upstream.method) && request.body !== null)
    // an init that names GET or HEAD is refused a body; the method is inherited instead, and so is the body
    return fetch(new Request(new Request(upstream.url, request), init));
  return fetch(upstream.url, { ...init, method: upstream.method, body: request.body });
}

/**
 * Sends the request to the origin once: its body streamed, redirects passed on, never from or to a cache. `timeoutMs`
 * ends with the response's headers; a slow body is nobody's error. Settles as `receive` does, which is told once, of
 * the response or of why there is none. A request that is still on its way at the limit is given up: the runtime ends
 * it with the client's response. No signal does that, since one costs more than all of this.
 */
export function forward<T>(
  upstream: UpstreamRequest,
  request: Request,
  timeoutMs: number,
  receive: (outcome: Response | ForwardFailure) => T,
): Promise<T> {
  const work = send(upstream, request);
  return new Promise((resolve, reject) => {
    let isTold = false;
    const tell = (outcome: Response | ForwardFailure): void => {
      if (isTold) return;
      isTold = true;
      clearTimeout(timer);
      try {
        resolve(receive(outcome));
      } catch (error) {
        reject(error);
      }
    };
    const timer = setTimeout(tell, timeoutMs, "origin_timeout");
    work.then(
      (response) => tell(failureIn(response) ?? response),
      () => tell("origin_unreachable"),
    );
  });
}
