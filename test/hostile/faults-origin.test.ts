import { request as httpRequest } from "node:http";
import type { AddressInfo } from "node:net";
import { createServer, type Server, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { sendRequest } from "../support/raw-tcp.ts";
import { plantSecret } from "../support/secrets.ts";
import { type Handler, startCognito, startOrigin, type TestServer } from "../support/servers.ts";
import { createSigningKey, idClaims, sign } from "../support/tokens.ts";
import { firstOf } from "./first-of.ts";

let origin: TestServer;
let cognito: TestServer;
let gateway: TestGateway;
let token: string;

/** A server that sends these very bytes, or closes at once, or never answers. */
interface RawOrigin {
  readonly url: string;
  /** What to do with a connection once its request has come. */
  answer: (socket: Socket) => void;
  readonly connections: number;
  close(): Promise<void>;
}

async function startRawOrigin(): Promise<RawOrigin> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server: Server = createServer((socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("data", () => self.answer(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const self = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    answer: (socket: Socket) => void socket.destroy(),
    get connections() {
      return connections;
    },
    close: () =>
      new Promise<void>((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
  return self;
}

let raw: RawOrigin;

beforeAll(async () => {
  const key = await createSigningKey("k1");
  [origin, cognito, raw] = await Promise.all([
    startOrigin(),
    startCognito(() => [key.jwk]),
    startRawOrigin(),
  ]);
  const issuer = `${cognito.url}/us-east-2_Orig1`;
  const refusing = await startRawOrigin();
  await refusing.close(); // its port refuses from now on
  gateway = await startGateway({
    policy: {
      routes: [
        { path: "/raw/*", origin: "raw" },
        { path: "/refusing/*", origin: "refusing" },
        { path: "/pub/*", access: "public" },
        { path: "/v1/*" },
      ],
    },
    vars: {
      ORIGIN_URL: `${origin.url}/prod`,
      ORIGINS: { raw: raw.url, refusing: refusing.url },
      ORIGIN_TIMEOUT_MS: 3_000,
      CORS_ORIGINS: ["https://app.example"],
      USER_POOLS: [
        {
          id: "us-east-2_Orig1",
          client_ids: ["app-client"],
          issuers: [{ issuer, jwks_url: `${issuer}/jwks.json` }],
        },
      ],
    },
  });
  token = await sign(key, idClaims(issuer, Math.floor(Date.now() / 1000)));
});

afterAll(async () => {
  await gateway.close();
  await Promise.all([origin.close(), cognito.close(), raw.close()]);
});

const call = (path: string, init: RequestInit = {}): Promise<Response> =>
  gateway.fetch(path, {
    ...init,
    headers: { authorization: `Bearer ${token}`, origin: "https://app.example", ...init.headers },
  });

async function answering<T>(handler: Handler, act: () => Promise<T>): Promise<T> {
  origin.handler = handler;
  try {
    return await act();
  } finally {
    origin.handler = undefined;
  }
}

async function expectNextWorks(): Promise<void> {
  const response = await call("/v1/next");
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({ ok: true });
}

async function expectRefusal(response: Response, status: number, code: string): Promise<void> {
  expect(response.status).toBe(status);
  expect(response.headers.get("content-type")).toBe("application/json");
  expect(response.headers.get("cache-control")).toBe("no-store");
  expect(response.headers.get("access-control-allow-origin")).toBe("https://app.example");
  const body = (await response.json()) as Record<string, unknown>;
  expect(body["error"]).toBe(code);
  expect(body["request_id"]).toBe(response.headers.get("x-request-id"));
}

describe("the origin is not there", () => {
  it("502 where it refuses the connection", async () => {
    await expectRefusal(await call("/refusing/x"), 502, "origin_unreachable");
    await expectRefusal(await call("/refusing/x", { method: "POST", body: "x" }), 502, "origin_unreachable");
    await expectNextWorks();
  });

  it("502 where it hangs up, answers no HTTP, or a status that HTTP does not have; sent once, never again", async () => {
    for (const text of [
      undefined,
      "garbage\r\n\r\n",
      "\u0000\u0001\u0002",
      "HTTP/1.1\r\n\r\n",
      "HTTP/1.1 abc OK\r\n\r\n",
      "HTTP/1.1 200 OK\r\nno colon here\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Le",
      "HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 600 Odd\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n",
    ]) {
      raw.answer = (socket) => void (text === undefined ? socket.destroy() : socket.end(text));
      for (const method of ["GET", "POST"]) {
        const before = raw.connections;
        const response = await call("/raw/x", { method, ...(method === "POST" && { body: "once" }) });
        await expectRefusal(response, 502, "origin_unreachable");
        expect(raw.connections - before, `${text}`).toBe(1);
      }
    }
    await expectNextWorks();
  });
});

describe("the origin hangs", () => {
  it("504 after the time limit, and nobody else waits", async () => {
    await answering(
      (request, response) => {
        if (request.url?.includes("hang") === true) return; // never answers
        response.end('{"ok":true}');
      },
      async () => {
        const hanging = Promise.all([
          call("/v1/hang"),
          call("/v1/hang"),
          call("/v1/hang", { method: "POST", body: "x" }),
        ]);
        const other = call("/v1/other");
        expect(await firstOf({ hanging, other })).toBe("other");
        expect((await other).status).toBe(200);
        for (const response of await hanging) await expectRefusal(response, 504, "origin_timeout");
      },
    );
    await expectNextWorks();
  });

  it("504 where only a part of the head comes", async () => {
    raw.answer = (socket) => void socket.write("HTTP/1.1 200 OK\r\nContent-Type: te");
    await expectRefusal(await call("/raw/x"), 504, "origin_timeout");
    await expectNextWorks();
  });

  it("a slow body is nobody's error", async () => {
    await answering(
      (_request, response) => {
        response.write("a");
        setTimeout(() => response.write("b"), 1_500);
        setTimeout(() => response.end("c"), 3_500);
      },
      async () => {
        const response = await call("/v1/slow");
        expect(response.status).toBe(200);
        expect(await response.text()).toBe("abc");
      },
    );
  });
});

describe("the origin aborts mid-body", () => {
  it("the client sees a body that breaks off, not one that ends; the log says what was decided", async () => {
    for (const head of [
      "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ]) {
      raw.answer = (socket) => {
        socket.write(head);
        setTimeout(() => socket.destroy(), 100);
      };
      const response = await call("/raw/x");
      expect(response.status).toBe(200);
      await expect(response.text()).rejects.toThrow();
      await expectNextWorks();
    }
    expect(gateway.decisions().at(-1)).toMatchObject({ decision: "forward", status: 200 });
  });

  it("a client that hangs up mid-body leaves nothing behind", async () => {
    await answering(
      (_request, response) => {
        response.write("x".repeat(1000));
        const timer = setInterval(() => response.write("x".repeat(1000)), 20);
        response.once("close", () => clearInterval(timer));
      },
      async () => {
        for (let index = 0; index < 5; index += 1)
          await new Promise<void>((resolve) => {
            const request = httpRequest(`${gateway.url}/v1/x`, { headers: { authorization: token } });
            request.on("error", () => resolve());
            request.on("response", (response) => {
              response.on("error", () => undefined);
              response.once("data", () => {
                request.destroy();
                resolve();
              });
            });
            request.end();
          });
      },
    );
    await expectNextWorks();
  });

  it("a client that hangs up mid-upload leaves nothing behind", async () => {
    const wait = () => new Promise((resolve) => setTimeout(resolve, 100));
    await answering(
      (upload) => void upload.on("error", () => undefined).resume(),
      async () => {
        const headers = { authorization: token, "content-length": "100000" };
        const request = httpRequest(`${gateway.url}/v1/x`, { method: "POST", headers });
        request.on("error", () => undefined);
        request.write("x".repeat(1000));
        await wait();
        request.destroy();
        await wait();
      },
    );
    await expectNextWorks();
  });
});

describe("unusual responses", () => {
  it("1xx before the real one are no answer", async () => {
    for (const early of [
      "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n",
      "HTTP/1.1 102 Processing\r\n\r\n",
      "HTTP/1.1 100 Continue\r\n\r\n",
      "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n",
    ]) {
      raw.answer = (socket) => void socket.end(`${early}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nreal`);
      const response = await call("/raw/x");
      if (response.status === 502) {
        // workerd takes none: then it is an outage of the origin's, and says so
        await expectRefusal(response, 502, "origin_unreachable");
        continue;
      }
      expect(response.status).toBe(200);
      expect(await response.text()).toBe("real");
    }
    await expectNextWorks();
  });

  it("101 is not passed on: the gateway upgrades nothing", async () => {
    raw.answer = (socket) =>
      void socket.end(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
      );
    const response = await sendRequest(gateway.url, "/raw/x", [
      `Authorization: ${token}`,
      "Upgrade: websocket",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      "Sec-WebSocket-Version: 13",
    ]);
    expect(response.status).not.toBe(101);
    expect(response.status).toBeGreaterThanOrEqual(400);
    await expectNextWorks();
  });

  it("204, 205 and 304 stay without a body", async () => {
    for (const status of [204, 205, 304]) {
      await answering(
        (_request, response) => void response.writeHead(status, { etag: '"1"', "content-length": "0" }).end(),
        async () => {
          const response = await call("/v1/x", { headers: { "if-none-match": '"1"' } });
          expect(response.status).toBe(status);
          expect(await response.text()).toBe("");
          expect(response.headers.get("etag")).toBe('"1"');
          expect(response.headers.get("access-control-allow-origin")).toBe("https://app.example");
        },
      );
      raw.answer = (socket) => void socket.end(`HTTP/1.1 ${status} Odd\r\nContent-Length: 7\r\n\r\nillegal`);
      const response = await call("/raw/x");
      expect([status, 502]).toContain(response.status);
      if (response.status === status) expect(await response.text()).toBe("");
    }
    await expectNextWorks();
  });

  it("every status from 200 to 599 is passed on", async () => {
    for (const status of [
      200, 201, 202, 203, 206, 300, 307, 308, 400, 401, 403, 404, 409, 418, 422, 429, 451, 499, 500, 502, 503,
      504, 520, 599,
    ])
      await answering(
        (_request, response) => void response.writeHead(status, { "x-mine": "1" }).end("body"),
        async () => {
          const response = await call("/v1/x");
          expect(response.status).toBe(status);
          expect(response.headers.get("x-mine")).toBe("1");
          expect(await response.text()).toBe("body");
        },
      );
  });

  it("many Set-Cookie lines stay many, in their order", async () => {
    const cookies = Array.from(
      { length: 60 },
      (_, index) => `c${index}=${index}; Path=/; Expires=Thu, 01 Jan 2037 00:00:00 GMT`,
    );
    await answering(
      (_request, response) => void response.writeHead(200, { "set-cookie": cookies }).end(),
      async () => {
        const response = await call("/v1/x");
        expect(response.headers.getSetCookie()).toEqual(cookies);
      },
    );
  });

  it("an endless redirect is passed on, not followed", async () => {
    await answering(
      (request, response) =>
        void response.writeHead(302, { location: `http://127.0.0.1${request.url}` }).end(),
      async () => expect((await call("/v1/x")).status).toBe(302),
    );
    expect(origin.received.at(-1)?.target).not.toContain("/v1/x/v1");
  });

  it("headers of 200 KB are an answer or a 502, never a hang", async () => {
    raw.answer = (socket) =>
      void socket.end(`HTTP/1.1 200 OK\r\nX-Long: ${"x".repeat(200_000)}\r\nContent-Length: 0\r\n\r\n`);
    const response = await sendRequest(gateway.url, "/raw/x", [`Authorization: ${token}`]);
    expect([200, 502]).toContain(response.status);
    await expectNextWorks();
  });

  it("identity that the origin answers with is the origin's own affair, its secrets are not in the log", async () => {
    const secret = plantSecret("body");
    await answering(
      (_request, response) => void response.writeHead(500, { "x-debug": secret }).end(secret),
      async () => expect(await (await call(`/v1/x?q=${plantSecret("query")}`)).text()).toBe(secret),
    );
  });
});

it("has printed no error of the runtime's, whatever the origin did", () => {
  const lines = gateway.output.filter((text) => !text.startsWith('{"event":"decision"'));
  expect(lines).toEqual([]);
  const internal = gateway.decisions().filter(({ error }) => error === "internal_error");
  expect(internal).toEqual([]);
});
