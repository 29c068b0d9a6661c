import { createHash } from "node:crypto";
import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { startGateway } from "../support/gateway.ts";
import { sendBytes, sendRequest } from "../support/raw-tcp.ts";
import { startOrigin, type TestServer } from "../support/servers.ts";
import { type Call, deadUrl, type Stack, startStack } from "./stack.ts";
import { residentBytes, workerdPids } from "./workerd-memory.ts";

const MEGABYTE = 1024 * 1024;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

let stack: Stack;
let staged: TestServer;
let token: string;
let plain: Stack;

beforeAll(async () => {
  staged = await startOrigin();
  const dead = await deadUrl();
  const policy = {
    routes: [
      { path: "/pub/*", access: "public" },
      { path: "/staged/*", access: "public", origin: "staged" },
      { path: "/dead/*", access: "public", origin: "dead" },
      { path: "/reported/*", mode: "report" },
      { path: "/*" },
    ],
  };
  stack = await startStack(startGateway, {
    policy,
    varsOf: () => ({
      ORIGINS: JSON.stringify({ staged: `${staged.url}/prod/`, dead }),
      ORIGIN_TIMEOUT_MS: 2_000,
      ORIGIN_SECRET: " new-secret , old-secret ",
    }),
  });
  plain = await startStack(startGateway, {
    policy,
    varsOf: () => ({ ORIGINS: { staged: `${staged.url}/prod`, dead }, FORWARD_AUTHORIZATION: "false" }),
  });
  token = await stack.id();
});

afterEach(() => {
  stack.origin.handler = undefined;
  plain.origin.handler = undefined;
  staged.handler = undefined;
});

afterAll(async () => {
  await Promise.all([stack?.close(), plain?.close()]);
  await staged?.close();
});

const call = (path: string, given: Call = {}) => stack.call(path, { token, ...given });
const lines = (): readonly (readonly [string, string])[] => stack.origin.last().rawHeaders;
const valuesOf = (name: string): string[] =>
  lines().flatMap(([each, value]) => (each === name ? [value] : []));

describe("the request that the origin receives", () => {
  it.each(["POST", "PUT", "PATCH", "DELETE"])(
    "%s: method, path, query and body as they came",
    async (method) => {
      const body = JSON.stringify({ text: "naïve\u0000" });
      const headers = { "content-type": "application/json; charset=utf-8" };
      const response = await call("/orders/7?b=2&a=%31&&x", { method, body, headers });
      expect(response.status).toBe(200);
      const { target, method: got, body: bytes } = stack.origin.last();
      expect([got, target, bytes.toString()]).toEqual([method, "/orders/7?b=2&a=%31&&x", body]);
      expect(valuesOf("content-type")).toEqual([headers["content-type"]]);
      expect(valuesOf("content-length")).toEqual([String(Buffer.byteLength(body))]);
    },
  );

  it("GET with a body keeps both, and loses what every request loses", async () => {
    const head = [
      "GET /pub/search?q=1 HTTP/1.1",
      "Host: api.example",
      "Connection: close",
      "X-Auth-Sub: eve",
    ];
    const text = [...head, "X-Kept: yes", "Content-Length: 13", "", '{"size": 100}'].join("\r\n");
    const response = await sendBytes(stack.gateway.url, text);
    expect(response.status).toBe(200);
    const { method, target, body } = stack.origin.last();
    expect([method, target, body.toString()]).toEqual(["GET", "/pub/search?q=1", '{"size": 100}']);
    expect(["x-auth-sub", "x-kept", "x-origin-secret"].map(valuesOf)).toEqual([[], ["yes"], ["new-secret"]]);
  });

  it("a redirect that answers a GET with a body is passed on too", async () => {
    stack.origin.handler = (_request, response) => response.writeHead(302, { location: "/elsewhere" }).end();
    const response = await sendBytes(
      stack.gateway.url,
      "GET /pub/x HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\nContent-Length: 1\r\n\r\n1",
    );
    expect(response.status).toBe(302);
  });

  it("DELETE and POST without a body stay without one", async () => {
    for (const method of ["DELETE", "POST", "OPTIONS"]) {
      expect((await call("/orders/7", { method })).status).toBe(200);
      expect([stack.origin.last().method, stack.origin.last().body.length]).toEqual([method, 0]);
    }
  });

  it("a chunked body arrives whole", async () => {
    const response = await sendBytes(
      stack.gateway.url,
      "POST /pub/x HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
    );
    expect(response.status).toBe(200);
    expect(stack.origin.last().body.toString()).toBe("hello world");
  });

  it("has lost hop-by-hop headers, those that Connection names, overrides and forged ones", async () => {
    const response = await sendRequest(stack.gateway.url, "/pub/x", [
      "Keep-Alive: timeout=5",
      "TE: trailers",
      "Trailer: x-sum",
      "Upgrade: h2c",
      "Proxy-Authorization: Basic YTpi",
      "Proxy-Connection: keep-alive",
      "Connection: X-Named, x-also-named",
      "X-Named: 1",
      "X-Also-Named: 2",
      "X-HTTP-Method-Override: DELETE",
      "X-HTTP-Method: DELETE",
      "X-Method-Override: DELETE",
      "X_HTTP_Method_Override: DELETE",
      "Forwarded: for=203.0.113.1",
      "X-Forwarded-For: 203.0.113.1",
      "X-Forwarded-Prefix: /admin",
      "X_Forwarded_Host: evil.example",
      "X-Origin-Secret: guess",
      "X-Kept: yes",
      "X-Amz-Date: 20260101T000000Z",
      "Accept-Language: de, en;q=0.5",
      "Cookie: a=1; b=2",
      "User-Agent: test/1",
    ]);
    expect(response.status).toBe(200);
    const names = new Set(lines().map(([name]) => name));
    for (const gone of [
      ...["keep-alive", "te", "trailer", "upgrade", "proxy-authorization", "proxy-connection"],
      ...["x-named", "x-also-named", "x-http-method-override", "x-http-method", "x-method-override"],
      ...["x_http_method_override", "forwarded", "x-forwarded-prefix", "x_forwarded_host"],
    ])
      expect([gone, names.has(gone)]).toEqual([gone, false]);
    expect(valuesOf("x-kept")).toEqual(["yes"]);
    expect(valuesOf("x-amz-date")).toEqual(["20260101T000000Z"]); // no SigV4 here: it is the caller's own
    expect(valuesOf("accept-language")).toEqual(["de, en;q=0.5"]);
    expect(valuesOf("cookie")).toEqual(["a=1; b=2"]);
    expect(valuesOf("user-agent")).toEqual(["test/1"]);
    expect(valuesOf("x-origin-secret")).toEqual(["new-secret"]);
  });

  it("tells of the connection: address, scheme and host, each once", async () => {
    await sendRequest(stack.gateway.url, "/pub/x", [
      "X-Forwarded-Host: evil.example",
      "X-Forwarded-Proto: gopher",
    ]);
    expect(valuesOf("x-forwarded-for")).toHaveLength(1);
    expect(valuesOf("x-forwarded-for")[0]).toMatch(/^(?:::ffff:)?127\.0\.0\.1$|^::1$/);
    expect(valuesOf("x-forwarded-proto")).toEqual(["http"]);
    expect(valuesOf("x-forwarded-host")).toEqual(["api.example"]);
    expect(valuesOf("host")).toEqual([new URL(stack.origin.url).host]);
  });

  it("an upgrade is asked for by nobody: the origin sees an ordinary GET", async () => {
    const response = await sendBytes(
      stack.gateway.url,
      "GET /pub/x HTTP/1.1\r\nHost: api.example\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    expect(response.status).not.toBe(101);
    expect(valuesOf("upgrade")).toEqual([]);
  });
});

describe("x-request-id", () => {
  it.each(["a2345678", "x".repeat(128), "A-Z_a-z_0-9"])("%s is the caller's, kept", async (id) => {
    const response = await call("/x", { headers: { "x-request-id": id } });
    expect(response.headers.get("x-request-id")).toBe(id);
    expect(valuesOf("x-request-id")).toEqual([id]);
  });

  it.each(["a234567", "x".repeat(129), "has blank", "has.dot.8", "has,comma", ""])(
    "%j is replaced by a new UUID",
    async (id) => {
      const response = await call("/x", { headers: { "x-request-id": id } });
      const given = response.headers.get("x-request-id");
      expect(given).toMatch(UUID);
      expect(valuesOf("x-request-id")).toEqual([given]);
    },
  );

  it("is on every response, and another each time: refusals, preflights, own endpoints, the origin's own replaced", async () => {
    stack.origin.handler = (_request, response) =>
      response.setHeader("x-request-id", "the-origins-own").end();
    const preflight = { origin: "https://a.example", "access-control-request-method": "GET" };
    const responses = [
      await call("/x"),
      await stack.call("/x"),
      await stack.call("/x", { method: "OPTIONS", headers: preflight }),
      await stack.call("/.well-known/oauth-protected-resource"),
      await stack.call("/.well-known/edge-authorizer/health"),
    ];
    const ids = responses.map((response) => response.headers.get("x-request-id"));
    for (const id of ids) expect(id).toMatch(UUID);
    expect(new Set(ids).size).toBe(ids.length);
  });
});

describe("proof and authorization", () => {
  it("x-origin-secret is the first of two values, on public and authenticated routes, not on reported requests", async () => {
    await stack.call("/pub/x");
    expect(valuesOf("x-origin-secret")).toEqual(["new-secret"]);
    await call("/x", { headers: { "x-origin-secret": "guess", x_origin_secret: "guess" } });
    expect(valuesOf("x-origin-secret")).toEqual(["new-secret"]);
    expect(valuesOf("x_origin_secret")).toEqual([]);
    expect((await stack.call("/reported/x", { headers: { "x-origin-secret": "guess" } })).status).toBe(200);
    expect(valuesOf("x-origin-secret")).toEqual([]);
    await call("/reported/x"); // not refused, so not reported
    expect(valuesOf("x-origin-secret")).toEqual(["new-secret"]);
  });

  it("there is none where none is configured", async () => {
    await plain.call("/pub/x", { headers: { "x-origin-secret": "guess" } });
    expect(plain.origin.last().headers["x-origin-secret"]).toBeUndefined();
  });

  it("FORWARD_AUTHORIZATION = false removes Authorization on every route", async () => {
    const own = await plain.id();
    for (const path of ["/pub/x", "/x", "/reported/x"]) {
      expect((await plain.call(path, { token: own })).status).toBe(200);
      expect(plain.origin.last().headers["authorization"]).toBeUndefined();
    }
    expect(plain.origin.last().headers["x-auth-caller"]).toBe("user");
  });
});

describe("the origin's response", () => {
  it("goes back unchanged: status, headers, body", async () => {
    stack.origin.handler = (_request, response) => {
      response.writeHead(418, "teapot", {
        "content-type": "text/plain; charset=x",
        "cache-control": "public, max-age=60",
        etag: '"7"',
        "www-authenticate": 'Basic realm="the API"',
        "x-amzn-requestid": "abc",
      });
      response.end("short and stout");
    };
    const response = await call("/x");
    expect(response.status).toBe(418);
    expect(await response.text()).toBe("short and stout");
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "content-type": "text/plain; charset=x",
      "cache-control": "public, max-age=60",
      etag: '"7"',
      "www-authenticate": 'Basic realm="the API"',
      "x-amzn-requestid": "abc",
    });
  });

  it.each([401, 403, 404, 429, 500, 503])("%i of the API's own stays the API's", async (status) => {
    stack.origin.handler = (_request, response) => response.writeHead(status).end('{"message":"mine"}');
    const response = await call("/x");
    expect([response.status, await response.text()]).toEqual([status, '{"message":"mine"}']);
    expect(response.headers.get("www-authenticate")).toBeNull();
  });

  it.each([204, 304])("%i stays without a body", async (status) => {
    stack.origin.handler = (_request, response) => response.writeHead(status, { etag: '"7"' }).end();
    const response = await call("/x", { headers: { "if-none-match": '"7"' } });
    expect([response.status, await response.text(), response.headers.get("etag")]).toEqual([
      status,
      "",
      '"7"',
    ]);
  });

  it("HEAD has the headers of GET and no body", async () => {
    stack.origin.handler = (_request, response) =>
      response.writeHead(200, { "content-length": "1234" }).end();
    const response = await call("/x", { method: "HEAD" });
    expect([response.status, await response.text()]).toEqual([200, ""]);
    expect(response.headers.get("content-length")).toBe("1234");
  });

  it("keeps several Set-Cookie lines apart, in their order", async () => {
    const cookies = ["a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT", "b=2; HttpOnly", "a=3"];
    stack.origin.handler = (_request, response) => response.setHeader("set-cookie", cookies).end();
    expect((await call("/x")).headers.getSetCookie()).toEqual(cookies);
  });

  it("keeps its content coding, byte for byte", async () => {
    const packed = gzipSync("compressed ".repeat(100));
    stack.origin.handler = (_request, response) =>
      response.writeHead(200, { "content-encoding": "gzip", "content-length": packed.length }).end(packed);
    const chunks: Buffer[] = [];
    const request = httpRequest(`${stack.gateway.url}/pub/x`, {
      headers: { "accept-encoding": "gzip" },
    }).end();
    const [response] = await once(request, "response");
    for await (const chunk of response) chunks.push(chunk);
    expect(response.headers["content-encoding"]).toBe("gzip");
    expect(gunzipSync(Buffer.concat(chunks)).toString()).toBe("compressed ".repeat(100));
  });

  it("206 with its range passes", async () => {
    stack.origin.handler = (request, response) =>
      response.writeHead(206, { "content-range": "bytes 0-3/10" }).end(String(request.headers.range));
    const response = await call("/x", { headers: { range: "bytes=0-3" } });
    expect([response.status, response.headers.get("content-range")]).toEqual([206, "bytes 0-3/10"]);
    expect(await response.text()).toBe("bytes=0-3");
  });

  it("is never from a cache, nor kept for the next caller", async () => {
    stack.origin.handler = undefined;
    const before = stack.origin.received.length;
    for (let index = 0; index < 3; index += 1) {
      stack.origin.handler = (_request, response) =>
        response.writeHead(200, { "cache-control": "public, max-age=3600" }).end(String(index));
      expect(await (await stack.call("/pub/file.css")).text()).toBe(String(index));
    }
    expect(stack.origin.received.length).toBe(before);
  });
});

describe("redirects", () => {
  it.each([301, 302, 303, 307, 308])("%i is passed on, not followed", async (status) => {
    let asked = 0;
    stack.origin.handler = (_request, response) => {
      asked += 1;
      response.writeHead(status, { location: "/elsewhere" }).end();
    };
    const response = await call("/x", { method: "POST", body: "once" });
    expect([response.status, response.headers.get("location"), asked]).toEqual([status, "/elsewhere", 1]);
  });

  it("a Location under the origin's URL gets the gateway's own address, any other stays", async () => {
    const self = stack.gateway.url;
    for (const [path, location, expected] of [
      ["/staged/x", `${staged.url}/prod/orders/7?q=1#f`, `${self}/orders/7?q=1#f`],
      ["/staged/x", `${staged.url}/prod`, self],
      ["/staged/x", `${staged.url}/production/x`, `${staged.url}/production/x`],
      ["/staged/x", `${staged.url}/other`, `${staged.url}/other`],
      ["/staged/x", "/prod/orders/7", "/orders/7"],
      ["/staged/x", "orders/7", "orders/7"],
      ["/staged/x", "https://login.example/x", "https://login.example/x"],
      ["/pub/x", `${stack.origin.url}/orders`, `${self}/orders`],
      ["/pub/x", `${staged.url}/prod/x`, `${staged.url}/prod/x`],
      ["/pub/x", "?page=2", "?page=2"],
    ] as const) {
      const server = path === "/pub/x" ? stack.origin : staged;
      server.handler = (_request, response) => response.writeHead(201, { location }).end();
      const got = (await stack.call(path)).headers.get("location");
      expect([location, got?.replace(/\/$/, "")]).toEqual([location, expected.replace(/\/$/, "")]);
    }
  });
});

describe("several origins", () => {
  it("a stage path stands before the canonical path", async () => {
    const before = stack.origin.received.length;
    for (const [path, target] of [
      ["/staged", "/prod/staged"],
      ["/staged/", "/prod/staged/"],
      ["/staged/a/%62?x=/..", "/prod/staged/a/b?x=/.."],
    ] as const) {
      expect((await stack.call(path)).status).toBe(200);
      expect(staged.last().target).toBe(target);
    }
    expect(stack.origin.received.length).toBe(before);
  });
});

describe("an origin that fails", () => {
  it("that cannot be reached is 502 origin_unreachable, within its time", async () => {
    expect(await stack.outcome("/dead/x")).toBe("origin_unreachable");
  });

  it("that hangs up is 502, and the request is never sent twice", async () => {
    for (const method of ["GET", "POST"]) {
      let asked = 0;
      stack.origin.handler = (request) => {
        asked += 1;
        request.socket.destroy();
      };
      const body = method === "POST" ? { body: "once" } : {};
      expect(await stack.outcome("/pub/x", { method, ...body })).toBe("origin_unreachable");
      expect(asked).toBe(1);
    }
  });

  it.each([
    [520, "origin_unreachable"],
    [521, "origin_unreachable"],
    [522, "origin_timeout"],
    [524, "origin_timeout"],
    [527, "origin_unreachable"],
    [530, "origin_unreachable"],
  ])("that Cloudflare itself answers for with %d is %s", async (status, code) => {
    stack.origin.handler = (_request, response) =>
      response.writeHead(status, { server: "cloudflare" }).end("error code: 1016");
    expect(await stack.outcome("/pub/x")).toBe(code);
  });

  it.each([
    [519, { server: "cloudflare" }],
    [528, { server: "cloudflare" }],
    [530, { server: "an API's" }],
    [530, {}],
    [530, { server: "cloudflare", "apigw-requestid": "1" }],
    [522, { server: "cloudflare", "x-amzn-requestid": "1" }],
  ])("may answer with %d and %j itself", async (status, headers) => {
    stack.origin.handler = (_request, response) => response.writeHead(status, headers).end("its own");
    const response = await call("/pub/x");
    expect([response.status, await response.text()]).toEqual([status, "its own"]);
  });

  it("without headers in ORIGIN_TIMEOUT_MS is 504 origin_timeout; a slow body is nobody's error", async () => {
    stack.origin.handler = (request, response) => {
      if (request.url === "/pub/hangs") return;
      response.writeHead(200);
      response.write("slow ");
      setTimeout(() => response.end("body"), 2_500);
    };
    const [hanging, slow] = await Promise.all([
      stack.outcome("/pub/hangs"),
      stack.call("/pub/slow").then((response) => response.text()),
    ]);
    expect([hanging, slow]).toEqual(["origin_timeout", "slow body"]);
  });
});

describe("headers_too_large", () => {
  /** What the runtime's own fetch adds below the gateway: nobody can count on it. */
  const ADDED_BY_RUNTIME = new Set(["cf-worker", "cache-control", "pragma"]);
  const headBytes = (): number => {
    const { method, target } = stack.origin.last();
    const head = lines()
      .filter(([name]) => !ADDED_BY_RUNTIME.has(name))
      .map(([name, value]) => `${name}: ${value}\r\n`);
    // forwarded by the gateway, and by Cloudflare to the origin; workerd on its own leaves it out
    head.push(`cf-connecting-ip: ${valuesOf("x-forwarded-for")}\r\n`);
    return Buffer.byteLength(`${method} ${target} HTTP/1.1\r\n${head.join("")}`, "latin1");
  };

  it.each(["/x", "/pub/x?with=query"])(
    "%s: 10,240 bytes of request line and header lines pass, 10,241 do not",
    async (path) => {
      const send = (pad: number) =>
        sendRequest(stack.gateway.url, path, [
          `Authorization: Bearer ${token}`,
          `X-Request-Id: ${"x".repeat(36)}`,
          `X-Pad: ${"p".repeat(pad)}`,
        ]);
      expect((await send(1)).status).toBe(200);
      const room = 10_240 - headBytes();
      expect((await send(1 + room)).status).toBe(200);
      expect(headBytes()).toBe(10_240);
      const refused = await send(2 + room);
      expect([refused.status, JSON.parse(refused.body).error]).toEqual([431, "headers_too_large"]);
    },
  );
});

describe("streaming", () => {
  const SIZE = 50 * MEGABYTE;
  const block = Buffer.alloc(MEGABYTE, "0123456789abcdef");
  const digestOf = (blocks: number): string => {
    const hash = createHash("sha256");
    for (let index = 0; index < blocks; index += 1) hash.update(block);
    return hash.digest("hex");
  };

  // a gateway with the default of 30 s: an upload is a time without response headers
  const callPlain = async (path: string, given: Call = {}) =>
    plain.call(path, { token: await plain.id(), ...given });

  it("50 MB up: the origin has the first megabyte before the client has sent the second", async () => {
    const hash = createHash("sha256");
    let bytes = 0;
    const first = Promise.withResolvers<void>();
    plain.origin.handler = (request, response) => {
      request.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        hash.update(chunk);
        if (bytes >= MEGABYTE) first.resolve();
      });
      request.on("end", () => response.end("done"));
    };
    const pids = workerdPids();
    const before = residentBytes(pids);
    let sent = 0;
    let peak = before;
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        if (sent === MEGABYTE) await first.promise; // a gateway that buffers would wait for ever
        if (sent === SIZE) return controller.close();
        sent += MEGABYTE;
        peak = Math.max(peak, residentBytes(pids));
        controller.enqueue(block);
      },
    });
    const response = await callPlain("/upload", { method: "POST", body, duplex: "half" });
    expect([response.status, await response.text(), bytes]).toEqual([200, "done", SIZE]);
    expect(hash.digest("hex")).toBe(digestOf(50));
    expect((peak - before) / MEGABYTE).toBeLessThan(30);
  });

  it("50 MB down: the client has the first megabyte before the origin has written the second", async () => {
    const first = Promise.withResolvers<void>();
    plain.origin.handler = async (_request, response) => {
      response.writeHead(200, { "content-type": "application/octet-stream" });
      for (let index = 0; index < 50; index += 1) {
        if (index === 1) await first.promise;
        if (!response.write(block)) await once(response, "drain");
      }
      response.end();
    };
    const pids = workerdPids();
    const before = residentBytes(pids);
    const response = await callPlain("/download");
    const hash = createHash("sha256");
    let bytes = 0;
    let peak = before;
    for await (const chunk of response.body ?? []) {
      bytes += chunk.length;
      hash.update(chunk);
      if (bytes >= MEGABYTE) first.resolve();
      peak = Math.max(peak, residentBytes(pids));
    }
    expect([response.status, bytes]).toEqual([200, SIZE]);
    expect(hash.digest("hex")).toBe(digestOf(50));
    expect((peak - before) / MEGABYTE).toBeLessThan(30);
  });

  it("a client that does not read holds the origin back, and the gateway keeps little", async () => {
    let written = 0;
    plain.origin.handler = (_request, response) => {
      const writeOn = (): void => {
        if (written > 500 * MEGABYTE) return;
        written += MEGABYTE;
        response.write(block, writeOn); // called once the system has taken it
      };
      writeOn();
    };
    const pids = workerdPids();
    const before = residentBytes(pids);
    const request = httpRequest(`${plain.gateway.url}/pub/slow-reader`).end();
    const [response] = await once(request, "response");
    response.pause();
    let last = -1;
    await vi.waitFor(
      () => {
        const hasStopped = written === last;
        last = written;
        if (!hasStopped) throw new Error("the origin still writes");
      },
      { timeout: 20_000, interval: 400 },
    );
    const grown = residentBytes(pids) - before;
    request.destroy();
    expect(written).toBeLessThan(500 * MEGABYTE);
    expect(grown / MEGABYTE).toBeLessThan(30);
  });
});
