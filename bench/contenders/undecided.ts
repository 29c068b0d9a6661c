interface Env {
  readonly ORIGIN_URL: string;
  readonly ORIGIN_TIMEOUT_MS: number;
}

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

/** The record of a request that was forwarded; its values are made up. */
const RECORD = {
  event: "decision",
  method: "GET",
  route: "/v1/orders/:orderId",
  decision: "forward",
  caller: "user",
  sub: "b1c2d3e4-0000-4000-8000-000000000001",
  tenant: "tenant-1",
  client_id: "1example23456789",
  kid: "example-key-id",
  token_use: "id",
  jwks: "memory",
};

function inTime(work: Promise<Response>, limitMs: number): Promise<Response> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("timeout")), limitMs);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/**
 * Everything that the gateway owes callers, API and operators, and no decision at all: the client's headers copied,
 * its own set, a time limit, no cache, the response's headers edited, one log line. What is below this cannot be had
 * by deciding faster.
 */
export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const startedAtMs = Date.now();
    const headers = new Headers(request.headers);
    headers.delete("host");
    for (const [name, value] of OWN_HEADERS) headers.set(name, value);
    const url = env.ORIGIN_URL + request.url.slice(request.url.indexOf("/", 8));
    const init = { method: request.method, headers, redirect: "manual", cache: "no-store" } as const;
    const response = await inTime(fetch(url, init), env.ORIGIN_TIMEOUT_MS);
    const passed = new Response(response.body, response);
    passed.headers.set("access-control-allow-origin", request.headers.get("origin") ?? "");
    passed.headers.set("access-control-expose-headers", "www-authenticate, x-request-id, retry-after");
    passed.headers.set("vary", "Origin");
    passed.headers.set("x-request-id", OWN_HEADERS[0]?.[1] ?? "");
    console.log(JSON.stringify({ ...RECORD, status: passed.status, edge_ms: Date.now() - startedAtMs }));
    return passed;
  },
};
