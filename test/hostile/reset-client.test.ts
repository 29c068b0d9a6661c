import { connect, type Socket } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type BenchWorker, bundle, startWorker } from "../../bench/workerd.ts";
import { startCognito, startOrigin, type TestServer } from "../support/servers.ts";
import { createSigningKey, idClaims, type SigningKey, sign } from "../support/tokens.ts";

// workerd without miniflare, which would keep the gateway's request alive when its client has gone.
let key: SigningKey;
let cognito: TestServer;
let origin: TestServer;
let worker: BenchWorker;
let printed = "";

beforeAll(async () => {
  key = await createSigningKey("k1");
  cognito = await startCognito(() => [key.jwk]);
  origin = await startOrigin();
  worker = await startWorker({
    script: await bundle(
      `import { createWorker } from "./src/index.ts";
       export default createWorker({ routes: [{ path: "/v1/*", access: "public" }, { path: "/*" }] });`,
    ),
    vars: {
      ORIGIN_URL: origin.url,
      USER_POOLS: [
        {
          id: "us-east-2_Test1",
          client_ids: ["app-client"],
          issuers: [{ issuer: cognito.url, jwks_url: `${cognito.url}/jwks.json` }],
        },
      ],
    },
    namespaces: ["JWKS", "M2M_TENANTS"],
    onLog: (text) => {
      printed += text;
    },
  });
});
afterAll(async () => {
  await worker?.close();
  await origin?.close();
  await cognito?.close();
});

const until = async (isSo: () => boolean): Promise<void> => {
  for (let wait = 0; wait < 500 && !isSo(); wait += 1)
    await new Promise((resolve) => setTimeout(resolve, 20));
};

const open = (head: string): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket: Socket = connect(Number(new URL(worker.url).port), "127.0.0.1", () => {
      socket.write(head);
      resolve(socket);
    });
    socket.once("error", reject);
  });

const linesOf = (requestId: string): string[] =>
  printed.split("\n").filter((line) => line.includes(`"request_id":"${requestId}"`));

describe("a client that resets its connection once the API has its request", () => {
  it.each(["/v1/anybody", "/somebody"])("leaves its line in the log: %s", async (path) => {
    const requestId = `reset-${path.slice(-8)}`.replaceAll("/", "-");
    const token = await sign(key, idClaims(cognito.url, Math.floor(Date.now() / 1000)));
    let answerLate = (): void => undefined;
    let arrived = false;
    origin.handler = (request, response) => {
      arrived = true;
      request.resume();
      answerLate = () => response.end("late");
    };
    const socket = await open(
      `POST ${path} HTTP/1.1\r\nHost: api.example\r\nAuthorization: Bearer ${token}\r\n` +
        `x-request-id: ${requestId}\r\nContent-Length: 3\r\n\r\nx=1`,
    );
    await until(() => arrived);
    expect(arrived).toBe(true);
    socket.resetAndDestroy();
    await new Promise((resolve) => setTimeout(resolve, 300)); // until workerd has seen it
    answerLate();
    await until(() => linesOf(requestId).length > 0);
    expect(linesOf(requestId)).toHaveLength(1);
    expect(JSON.parse(linesOf(requestId)[0] ?? "")).toMatchObject({ event: "decision", decision: "forward" });
  });
});
