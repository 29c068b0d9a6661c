import type { UpstreamRequest } from "../core/decision.ts";
import type { ErrorCode } from "../core/errors.ts";

/** Why there is no answer of the origin. */
export type ForwardFailure = Extract<ErrorCode, "origin_unreachable" | "origin_timeout">;

const hasNoBody = (method: string): boolean => method === "GET" || method === "HEAD";

/**
 * Sends the request to the origin once: its body streamed, redirects passed on, never from or to a cache.
 * `timeoutMs` ends with the response's headers; a slow body is nobody's error.
 */
export async function forward(
  upstream: UpstreamRequest,
  request: Request,
  timeoutMs: number,
): Promise<Response | ForwardFailure> {
  const controller = new AbortController();
  let isTimedOut = false;
  const timer = setTimeout(() => {
    isTimedOut = true;
    controller.abort();
  }, timeoutMs);
  const init = {
    method: upstream.method,
    headers: upstream.headers as [string, string][], // fetch does not write to it
    redirect: "manual",
    cache: "no-store", // else an extension such as .csv is cached by URL, whoever asks
    signal: controller.signal,
  } satisfies RequestInit;
  try {
    if (hasNoBody(upstream.method) && request.body !== null)
      return await fetch(new Request(new Request(upstream.url, request), init)); // fetch(url, init) refuses it
    return await fetch(upstream.url, { ...init, body: request.body });
  } catch {
    return isTimedOut ? "origin_timeout" : "origin_unreachable";
  } finally {
    clearTimeout(timer);
  }
}
