import type { Answer, HeaderList } from "../decision.ts";
import type { ClientHeaders } from "./client-headers.ts";

/** Response headers that a page of another origin may read. */
const EXPOSED = "www-authenticate, x-request-id, retry-after";
const ALLOWED_REQUEST_HEADERS = ["authorization", "content-type", "x-tenant-id", "x-request-id"];
const PREFLIGHT_MAX_AGE_SECONDS = 600;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/; // RFC 9110 section 5.6.2

/** The request's `Origin`, if it is one of `allowed` (or that is `["*"]`). */
export function allowedOrigin(origin: string | null, allowed: readonly string[]): string | undefined {
  if (origin === null || origin === "") return undefined;
  return allowed[0] === "*" || allowed.includes(origin) ? origin : undefined;
}

/**
 * CORS headers of a response to a page of `origin`, refusals included: without them a browser shows a network
 * error (Fetch, CORS check). `exposed` are names that the origin behind the gateway exposes itself.
 */
export const corsHeaders = (origin: string, exposed?: string | null): HeaderList => [
  ["access-control-allow-origin", origin],
  ["vary", "Origin"],
  ["access-control-expose-headers", exposed ? `${EXPOSED}, ${exposed}` : EXPOSED],
];

/** Is this a preflight (Fetch, CORS-preflight request)? Any other `OPTIONS` is an ordinary request. */
export const isPreflight = (method: string, headers: ClientHeaders): boolean =>
  method === "OPTIONS" && headers.has("origin") && headers.has("access-control-request-method");

function allowedHeaders(requested: string | null): string {
  const names = (requested ?? "").split(",").map((name) => name.trim().toLowerCase());
  return [...new Set([...ALLOWED_REQUEST_HEADERS, ...names.filter((name) => TOKEN.test(name))])].join(", ");
}

/**
 * The answer to a preflight. For a page of an origin that is not allowed it holds no CORS header, and the
 * browser stops there. `methods`: those of the routes on the path.
 */
export function preflightAnswer(
  origin: string | undefined,
  methods: readonly string[],
  requestHeaders: ClientHeaders,
): Answer {
  if (origin === undefined) return { status: 204, headers: [["cache-control", "no-store"]], body: null };
  return {
    status: 204,
    headers: [
      ["cache-control", "no-store"],
      ["access-control-allow-methods", methods.join(", ")],
      ["access-control-allow-headers", allowedHeaders(requestHeaders.get("access-control-request-headers"))],
      ["access-control-max-age", String(PREFLIGHT_MAX_AGE_SECONDS)],
    ],
    body: null,
  };
}
