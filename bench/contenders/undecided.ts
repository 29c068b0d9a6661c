interface Env {
  readonly ORIGIN_URL: string;
  readonly ORIGIN_TIMEOUT_MS: number;
}

interface Waiting {
  waitUntil(work: Promise<unknown>): void;
}

/** The record of a request that was forwarded, but for what each one has of its own; its values are made up. */
const RECORD = {
  event: "decision",
  request_id: "5f1c2d3e-0000-4000-8000-000000000001",
  method: "GET",
  route: "/v1/orders/:orderId/*",
  decision: "forward",
  caller: "user",
  sub: "b1c2d3e4-0000-4000-8000-000000000001",
  tenant: "acme",
  client_id: "1example23456789",
  kid: "example-key-id",
  token_use: "id",
  jwks: "memory",
};

/** What the gateway sets for a person, as long as it is for the tokens of the benchmark. */
const OWN_HEADERS = Object.entries({
  "x-request-id": "5f1c2d3e-0000-4000-8000-000000000001",
  "x-forwarded-for": "203.0.113.7",
  "x-forwarded-proto": "https",
  "x-forwarded-host": "api.example.com",
  "x-auth-caller": "user",
  "x-auth-sub": "b1c2d3e4-0000-4000-8000-000000000001",
  "x-auth-token-use": "id",
  "x-auth-tenant-id": "tenant-1",
  "x-tenant-id": "tenant-1",
  "x-auth-role": "admin",
  "x-auth-client-id": "1example23456789",
  "x-auth-groups": "staff,support",
  "x-auth-username": "b1c2d3e4-0000-4000-8000-000000000001",
});

/** What a gateway owes beyond passing a request on, one after the other as {@link DUTIES} names them. */
export const DUTIES = [
  "pass-through",
  "a request of its own",
  "and headers copied, thirteen set",
  "and header lines gone through",
  "and never cached",
  "and time limit",
  "and response's headers edited",
  "and log line",
  "and kept alive when the client goes",
] as const;
const OWN_REQUEST = 1;
const HEADERS = 2;
const LINES = 3;
const NO_STORE = 4;
const TIME_LIMIT = 5;
const RESPONSE = 6;
const LOG = 7;
const KEEP_ALIVE = 8;

// what could pass for the gateway's word, or belongs to one connection
const NOT_PASSED = /^(?:x[-_]auth[-_]|x[-_]forwarded[-_]|proxy[-_]|x[-_]tenant[-_]id$|connection$|host$)/;

function headersFor(request: Request, duties: number): Headers {
  const removed: string[] = [];
  if (duties >= LINES)
    request.headers.forEach((_value, name) => {
      if (NOT_PASSED.test(name)) removed.push(name);
    });
  const headers = new Headers(request.headers);
  for (const name of removed) headers.delete(name);
  for (const [name, value] of OWN_HEADERS) headers.set(name, value);
  return headers;
}

function answerOf(response: Response, request: Request, duties: number, startedAtMs: number): Response {
  if (duties < RESPONSE) return response;
  const passed = new Response(response.body, response);
  passed.headers.set("access-control-allow-origin", request.headers.get("origin") ?? "");
  passed.headers.set("access-control-expose-headers", "www-authenticate, x-request-id, retry-after");
  passed.headers.set("vary", "Origin");
  passed.headers.set("x-request-id", OWN_HEADERS[0]?.[1] ?? "");
  if (duties >= LOG)
    console.log(JSON.stringify({ ...RECORD, status: passed.status, edge_ms: Date.now() - startedAtMs }));
  return passed;
}

/** Forwards with so many duties, decides nothing. */
function forward(request: Request, env: Env, duties: number): Promise<Response> {
  const startedAtMs = Date.now();
  const url = env.ORIGIN_URL + request.url.slice(request.url.indexOf("/", 8));
  if (duties < OWN_REQUEST) return fetch(url, request);
  const headers = duties >= HEADERS ? headersFor(request, duties) : request.headers;
  const init = { method: request.method, headers, redirect: "manual" } as const;
  const work = fetch(url, duties >= NO_STORE ? { ...init, cache: "no-store" } : init);
  if (duties < TIME_LIMIT) return work.then((response) => answerOf(response, request, duties, startedAtMs));
  return new Promise((resolve, reject) => {
    const timer = setTimeout(reject, env.ORIGIN_TIMEOUT_MS, "timeout");
    work.then((response) => {
      clearTimeout(timer);
      resolve(answerOf(response, request, duties, startedAtMs));
    }, reject);
  });
}

let owed = 0;

/** As many duties as the last `/duties/N` has said, all in one isolate, so that nothing else differs. */
export default {
  fetch(request: Request, env: Env, context: Waiting): Response | Promise<Response> {
    const { url } = request;
    const at = url.indexOf("/duties/");
    if (at !== -1) {
      owed = Number(url.slice(at + "/duties/".length));
      return new Response(null);
    }
    const response = forward(request, env, owed);
    if (owed >= KEEP_ALIVE) context.waitUntil(response);
    return response;
  },
};
