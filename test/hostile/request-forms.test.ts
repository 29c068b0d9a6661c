import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cacheKeyOf, type FaultyGateway, startFaultyGateway } from "../support/faults.ts";
import { type RawResponse, sendBytes, sendRequest } from "../support/raw-tcp.ts";
import { type Received, startCognito, startOrigin, type TestServer } from "../support/servers.ts";
import { createSigningKey, idClaims, type SigningKey, sign } from "../support/tokens.ts";

const APP = "https://app.example";

let key: SigningKey;
let attacker: SigningKey;
let origin: TestServer;
let cognito: TestServer;
let gateway: FaultyGateway;
let issuer: string;
let token: string;

const now = (): number => Math.floor(Date.now() / 1000);

beforeAll(async () => {
  [key, attacker] = await Promise.all([createSigningKey("k1"), createSigningKey("k1")]);
  [origin, cognito] = await Promise.all([startOrigin(), startCognito(() => [key.jwk])]);
  issuer = `${cognito.url}/us-east-2_Form1`;
  gateway = await startFaultyGateway({
    policy: {
      roles: ["viewer", "admin"],
      routes: [
        { path: "/pub/*", access: "public", cors: ["*"] },
        { path: "/admin/*", role: "admin" },
        { path: "/v1/*" },
      ],
    },
    vars: {
      ORIGIN_URL: `${origin.url}/prod`,
      ORIGIN_SECRET: "origin-proof-1",
      CORS_ORIGINS: [APP],
      USER_POOLS: [
        {
          id: "us-east-2_Form1",
          client_ids: ["app-client"],
          issuers: [{ issuer, jwks_url: `${issuer}/jwks.json` }],
        },
      ],
    },
  });
  const claims = { "custom:role": "viewer", exp: now() + 500_000 };
  token = await sign(key, idClaims(issuer, now(), claims));
});

afterAll(async () => {
  await gateway.close();
  await Promise.all([origin.close(), cognito.close()]);
});

interface Seen {
  readonly response: RawResponse;
  readonly code: string | undefined;
  readonly received: readonly Received[];
}

const seen = (response: RawResponse, before: number): Seen => ({
  response,
  code: /"error":"(\w+)"/.exec(response.body)?.[1],
  received: origin.received.slice(before),
});

/** Sends a message as it stands; one that is answered with nothing has the status 0. */
async function sendRaw(text: string): Promise<Seen> {
  const before = origin.received.length;
  const none: RawResponse = { status: 0, headers: [], body: "" };
  return seen(await sendBytes(gateway.url, text, 5_000).catch(() => none), before);
}

async function send(path: string, lines: readonly string[], method = "GET"): Promise<Seen> {
  const before = origin.received.length;
  return seen(await sendRequest(gateway.url, path, lines, method), before);
}

const withHost = (host: string, path: string, lines: readonly string[] = []): string =>
  [`GET ${path} HTTP/1.1`, `Host: ${host}`, "Connection: close", ...lines, "", ""].join("\r\n");

const headerOf = ({ headers }: RawResponse, wanted: string): string | undefined =>
  headers.find(([name]) => name === wanted)?.[1];

describe("the Host header", () => {
  const HOSTS = [
    ...["evil.example", "API.EXAMPLE", "api.example.", "api.example:8080", "user:password@api.example"],
    ...["api.example/admin", "api.example?x", "api.example#x", "api.example\\admin", "[::1]", "0x7f.1"],
    ...["a b", 'a"b', "a%2fb", "a%00b", "caf\u00c3\u00a9.example", "x".repeat(300), ""],
  ];
  it.each(HOSTS)("%j opens nothing: what is matched is still what is forwarded", async (host) => {
    const lines = [`Authorization: Bearer ${token}`];
    for (const path of ["/v1/x", "/pub/x", "/admin/x", "/../admin/x"]) {
      const { response, code, received } = await sendRaw(withHost(host, path, lines));
      if (path.endsWith("/admin/x")) expect(received).toEqual([]);
      expect(received.length).toBeLessThanOrEqual(1);
      const [arrived] = received;
      if (arrived === undefined) {
        expect(response.status === 0 || response.status >= 400 || code !== undefined).toBe(true);
        continue;
      }
      // whatever a runtime makes of the host, it is the URL that is decided on, and the one that arrives
      expect(arrived.target).toMatch(/^\/prod\/(?:v1|pub)\/x$/);
      expect(arrived.headers["host"]).toBe(new URL(origin.url).host);
    }
  });

  it("of another name has a cache entry of its own, which holds Cognito's keys and serves nobody else", async () => {
    await gateway.advance(11 * 60_000);
    const entryOf = (host: string) => gateway.getCache(cacheKeyOf(`http://${host}`, issuer));
    const { code } = await sendRaw(withHost("other.example", "/v1/x", [`Authorization: Bearer ${token}`]));
    expect(code).toBeUndefined();
    await expect.poll(() => entryOf("other.example"), { timeout: 10_000 }).toContain(key.jwk.n);
    expect(await entryOf("never-asked.example")).toBeNull();
  });

  it("that stands twice, or not at all, reaches nothing", async () => {
    for (const lines of [["Host: a.example", "Host: b.example"], [], ["Host:"]]) {
      const text = ["GET /pub/x HTTP/1.1", "Connection: close", ...lines, "", ""].join("\r\n");
      const { response, received } = await sendRaw(text);
      expect(received).toEqual([]);
      expect(response.status === 0 || response.status >= 400).toBe(true);
    }
  });

  it("shows in an answer to its own sender alone, and never breaks out of its quotes", async () => {
    for (const host of ["evil.example", 'evil.example", error="none', "evil.example%22"]) {
      const { response } = await sendRaw(withHost(host, "/v1/x"));
      const challenge = headerOf(response, "www-authenticate");
      if (challenge === undefined) continue; // refused before the Worker
      expect(challenge).toMatch(/^Bearer realm="edge", resource_metadata="http:\/\/[\w.%-]+\/[^"]*"$/);
      expect(headerOf(response, "cache-control")).toBe("no-store");
    }
  });
});

describe("the stored keys", () => {
  it("verify nothing that the isolate's newer set does not: an older entry of a stranger is not taken over", async () => {
    const { kid, n, e } = attacker.jwk;
    const document = JSON.stringify({ issuer, fetched_at_ms: Date.now() - 1_000, keys: [{ kid, n, e }] });
    await gateway.putCache(cacheKeyOf("http://api.example", issuer), document);
    const forged = await sign(attacker, idClaims(issuer, now(), { exp: now() + 500_000 }));
    for (let again = 0; again < 2; again += 1)
      expect((await send("/v1/x", [`Authorization: Bearer ${forged}`])).code).toBe("invalid_signature");
  });
});

describe("targets and versions that are none", () => {
  it.each([
    "OPTIONS * HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\n\r\n",
    "GET * HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\n\r\n",
    "GET /pub/x\r\n",
    "GET /pub/x HTTP/2.0\r\nHost: api.example\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "GET /pub/x HTTP/1.0\r\n\r\n",
    "GET  /pub/x HTTP/1.1\r\nHost: api.example\r\n\r\n",
    " GET /pub/x HTTP/1.1\r\nHost: api.example\r\n\r\n",
    "\u0016\u0003\u0001\u0002\u0000\u0001\u0000",
  ])("%j reaches nothing", async (text) => {
    const { response, received } = await sendRaw(text);
    expect(received).toEqual([]);
    expect(response.status === 0 || response.status >= 400).toBe(true);
  });
});

describe("bodies where none is usual", () => {
  it("of GET, HEAD, DELETE and OPTIONS arrive once, in one request", async () => {
    const smuggled = "GET /admin/x HTTP/1.1\r\nHost: api.example\r\nx-auth-sub: evil\r\n\r\n";
    const chunked = `${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`;
    for (const method of ["GET", "HEAD", "DELETE", "OPTIONS"]) {
      const head = `${method} /pub/x HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\n`;
      for (const text of [
        `${head}Content-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
        `${head}Transfer-Encoding: chunked\r\n\r\n${chunked}`,
        `${head}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n${chunked}`,
        `${head}Content-Length: 0\r\n\r\n${smuggled}`,
      ]) {
        const { received } = await sendRaw(text);
        expect(received.length, text).toBeLessThanOrEqual(1);
        for (const arrived of received) {
          expect(arrived.method).toBe(method);
          expect(arrived.target).toBe("/prod/pub/x");
          expect(arrived.headers).not.toHaveProperty("x-auth-sub");
          expect([0, smuggled.length]).toContain(arrived.body.length);
        }
      }
    }
  });

  it("on a kept connection, a refused upload does not become the next request", async () => {
    const before = origin.received.length;
    const smuggled = "GET /pub/smuggled HTTP/1.1\r\nHost: api.example\r\n\r\n";
    const text = [
      `POST /v1/x HTTP/1.1\r\nHost: api.example\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
      "GET /pub/second HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\n\r\n",
    ].join("");
    const { response } = await sendRaw(text);
    expect(response.status).toBe(401);
    const targets = origin.received.slice(before).map(({ target }) => target);
    expect(targets).not.toContain("/prod/pub/smuggled");
  });

  it("announced by Expect: 100-continue are asked for and forwarded", async () => {
    const before = origin.received.length;
    const { hostname, port } = new URL(gateway.url);
    const answer = await new Promise<string>((resolve, reject) => {
      let text = "";
      const socket = connect(Number(port), hostname, () =>
        socket.write(
          "POST /pub/x HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n",
        ),
      );
      const timer = setTimeout(() => socket.write("body"), 1_000); // as a client does that hears nothing
      socket.on("data", (chunk: Buffer) => {
        if (text === "" && chunk.toString("latin1").startsWith("HTTP/1.1 100")) {
          clearTimeout(timer);
          socket.write("body");
        }
        text += chunk.toString("latin1");
      });
      socket.on("error", reject);
      socket.on("close", () => resolve(text));
    });
    expect(answer).toContain("HTTP/1.1 200");
    expect(origin.received.slice(before).map(({ body }) => body.toString())).toEqual(["body"]);
  });
});

describe("upgrades", () => {
  it.each(["websocket", "h2c", "TLS/1.0", "websocket, h2c"])(
    "to %s go no further: a plain request arrives",
    async (protocol) => {
      const { received } = await send("/pub/x", [
        "Connection: Upgrade, HTTP2-Settings",
        `Upgrade: ${protocol}`,
        "HTTP2-Settings: AAMAAABkAAQAAP__",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
      ]);
      expect(received.length).toBeLessThanOrEqual(1);
      for (const { headers } of received) {
        expect(headers).not.toHaveProperty("upgrade");
        expect(headers).not.toHaveProperty("http2-settings");
      }
    },
  );

  it("open no protected route without a token", async () => {
    const { response, received } = await send("/v1/x", [
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      "Sec-WebSocket-Version: 13",
      `Sec-WebSocket-Protocol: ${token}`,
    ]);
    expect(received).toEqual([]);
    expect(response.status).toBe(401);
  });
});

describe("header values of any size and kind", () => {
  it.each([
    ["an x-request-id of 60 KB", [`X-Request-Id: ${"a".repeat(60_000)}`], 200],
    ["an Origin of 60 KB", [`Origin: ${"x".repeat(60_000)}`], 431],
    ["an Origin of Latin-1", ["Origin: \u00ff\u00fe"], 200],
    ["an Origin of control characters", ["Origin: \u0001"], undefined],
    ["two Origins", ["Origin: https://a.example", "Origin: https://b.example"], 200],
    ["an Authorization of 60 KB", [`Authorization: Bearer ${"a.".repeat(30_000)}`], 431],
    ["60,000 commas in Connection", [`Connection: ${",".repeat(60_000)}`], 200],
    ["a header of 60,000 underscores", [`X${"_".repeat(60_000)}: 1`], 431],
    ["4,000 header lines", Array.from({ length: 4_000 }, (_, index) => `h${index}: v`), 431],
  ] as const)("%s ends in an answer of ours", async (_name, lines, status) => {
    const { response, received } = await send("/pub/x", lines);
    if (status === undefined) expect(response.status === 0 || response.status >= 200).toBe(true);
    else expect(response.status).toBe(status);
    expect(response.status).not.toBe(500);
    expect(received.length).toBe(response.status === 200 ? 1 : 0);
    expect(headerOf(response, "x-request-id") ?? "").toMatch(/^$|^[\w-]{8,128}$/);
  });

  it("a preflight that asks for 8,000 headers, or for a method of 50 KB, is answered at the edge", async () => {
    const names = Array.from({ length: 8_000 }, (_, index) => `x-${index}`).join(",");
    for (const asked of [
      ["Access-Control-Request-Method: GET", `Access-Control-Request-Headers: ${names}`],
      [`Access-Control-Request-Method: ${"A".repeat(50_000)}`],
      ["Access-Control-Request-Method: GET", `Access-Control-Request-Headers: ${",".repeat(60_000)}`],
      ["Access-Control-Request-Method: GET", 'Access-Control-Request-Headers: x y, "z", \u00ff, x\u0001'],
    ]) {
      const { response, received } = await send("/pub/x", [`Origin: ${APP}`, ...asked], "OPTIONS");
      expect(received).toEqual([]);
      expect([0, 204, 400]).toContain(response.status);
      for (const name of (headerOf(response, "access-control-allow-headers") ?? "").split(", "))
        expect(name).toMatch(/^[\w-]*$/);
    }
  });

  it("Range is the API's affair", async () => {
    const { received } = await send("/v1/x", [
      `Authorization: ${token}`,
      "Range: bytes=0-0,-1",
      "If-Range: x",
    ]);
    expect(received[0]?.headers["range"]).toBe("bytes=0-0,-1");
  });
});

it("none of it was an error of ours", () => {
  expect(
    gateway.logs.filter(({ event, error }) => event === "internal_error" || error === "internal_error"),
  ).toEqual([]);
});
