import { existsSync } from "node:fs";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { startCognito, startOrigin, startServer, type TestServer } from "../support/servers.ts";
import { createSigningKey, idClaims, sign } from "../support/tokens.ts";

const CHROMIUM = process.env["CHROMIUM_PATH"] ?? "/usr/bin/chromium";
// a machine without a closed network needs none of them; on one, Chromium would call home in vain
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

interface Read {
  readonly status: number;
  readonly error?: string;
  readonly challenge: string | null;
  readonly requestId: string | null;
  readonly retryAfter: string | null;
  readonly stage: string | null;
}

/** As much of a `RequestInit` as can be handed to a page. */
interface Call {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

let browser: Browser;
/** One page of each site, opened once: what it may read is asked for again with every call. */
const pages = new Map<TestServer, Page>();
let app: TestServer;
let stranger: TestServer;
let origin: TestServer;
let cognito: TestServer;
let gateway: TestGateway;
let expired: string;
let valid: string;

beforeAll(async () => {
  if (!existsSync(CHROMIUM)) throw new Error(`no chromium at ${CHROMIUM}: install it, or set CHROMIUM_PATH`);
  const key = await createSigningKey("k1");
  const page = (
    _request: unknown,
    response: { end(text: string): void; setHeader(n: string, v: string): void },
  ) => {
    response.setHeader("content-type", "text/html");
    response.end("<!doctype html><title>app</title>");
  };
  [app, stranger, origin, cognito] = await Promise.all([
    startServer(page),
    startServer(page),
    startOrigin(),
    startCognito(() => [key.jwk]),
  ]);
  const issuer = `${cognito.url}/us-east-2_Browser1`;
  gateway = await startGateway({
    policy: {
      roles: ["viewer", "admin"],
      routes: [
        { path: "/v1/webchat/messages", methods: ["POST"], access: "public", cors: ["*"] },
        { path: "/v1/owners/*", role: "admin", scopes: ["api/own"] },
        { path: "/v1/*" },
      ],
    },
    rateLimits: { PUBLIC_RATE_LIMIT: 2 },
    vars: {
      ORIGIN_URL: origin.url,
      CORS_ORIGINS: [app.url],
      USER_POOLS: [
        {
          id: "us-east-2_Browser1",
          client_ids: ["app-client"],
          issuers: [{ issuer, jwks_url: `${issuer}/.well-known/jwks.json` }],
        },
      ],
    },
  });
  const now = Math.floor(Date.now() / 1000);
  valid = await sign(key, idClaims(issuer, now));
  expired = await sign(key, idClaims(issuer, now - 7200));
  browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
});

afterAll(async () => {
  await browser?.close();
  await Promise.all([app, stranger, origin, cognito, gateway].map((each) => each?.close()));
});

/** Calls the gateway from a page of `from`, as an app would; null where the browser lets nothing through. */
async function fetchFrom(from: TestServer, path: string, init: Call = {}): Promise<Read | null> {
  const page = pages.get(from) ?? (await browser.newPage());
  if (!pages.has(from)) await page.goto(from.url);
  pages.set(from, page);
  return page.evaluate(
    async ({ url, init }) => {
      try {
        const response = await fetch(url, init);
        const body = await response.json();
        return {
          status: response.status,
          error: body.error,
          challenge: response.headers.get("www-authenticate"),
          requestId: response.headers.get("x-request-id"),
          retryAfter: response.headers.get("retry-after"),
          stage: response.headers.get("x-stage"),
        };
      } catch {
        return null;
      }
    },
    { url: gateway.url + path, init },
  );
}

const bearer = (token: string): Call => ({ headers: { authorization: `Bearer ${token}` } });

describe("a page in Chromium", () => {
  it("reads the API's answer, with the headers that the API exposes", async () => {
    origin.handler = (_request, response) => {
      response.setHeader("access-control-expose-headers", "x-stage");
      response.setHeader("x-stage", "prod");
      response.end("{}");
    };
    const read = await fetchFrom(app, "/v1/orders", bearer(valid));
    origin.handler = undefined;
    expect(read).toMatchObject({ status: 200, stage: "prod" });
  });

  it("reads why it was refused, and the challenge, without a token", async () => {
    const read = await fetchFrom(app, "/v1/orders");
    expect(read).toMatchObject({ status: 401, error: "missing_token" });
    expect(read?.challenge).toMatch(/^Bearer realm="edge", resource_metadata="http:\/\//);
    expect(read?.requestId).toMatch(/^[\w-]{8,128}$/);
  });

  it("reads that its token has expired, after a preflight for Authorization", async () => {
    const read = await fetchFrom(app, "/v1/orders", bearer(expired));
    expect(read).toMatchObject({ status: 401, error: "token_expired" });
    expect(read?.challenge).toContain('error="invalid_token"');
  });

  it("reads which scope is missing", async () => {
    const read = await fetchFrom(app, "/v1/owners/1", bearer(valid));
    expect(read).toMatchObject({ status: 403, error: "insufficient_scope" });
    expect(read?.challenge).toContain('scope="api/own"');
  });

  it("reads a 404, with a method that needs a preflight", async () => {
    const read = await fetchFrom(app, "/v2/nothing", { method: "DELETE" });
    expect(read).toMatchObject({ status: 404, error: "route_not_found" });
  });

  it("reads a 502 of the gateway while the API is away", async () => {
    origin.handler = (request) => void request.socket.destroy();
    const read = await fetchFrom(app, "/v1/orders", bearer(valid));
    origin.handler = undefined;
    expect(read).toMatchObject({ status: 502, error: "origin_unreachable" });
  });

  it("posts to the public webchat from any site, with JSON, without a token", async () => {
    const read = await fetchFrom(stranger, "/v1/webchat/messages", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    });
    expect(read).toMatchObject({ status: 200 });
  });

  it("reads when it may try again, after too many of them", async () => {
    const call = { method: "POST", body: "{}" };
    let read = await fetchFrom(stranger, "/v1/webchat/messages", call);
    for (let index = 0; index < 3 && read?.status === 200; index += 1)
      read = await fetchFrom(stranger, "/v1/webchat/messages", call);
    expect(read).toMatchObject({ status: 429, error: "rate_limited", retryAfter: "60" });
  });

  it("gets nothing from another site's page, with a token or without", async () => {
    expect(await fetchFrom(stranger, "/v1/orders")).toBeNull();
    expect(await fetchFrom(stranger, "/v1/orders", bearer(valid))).toBeNull();
  });
});
