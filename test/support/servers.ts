import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import type { JWK } from "jose";

/** A request as a server has received it. */
export interface Received {
  readonly method: string;
  /** Path and query, byte for byte. */
  readonly target: string;
  /** Names in lower case; repeated ones joined by comma. */
  readonly headers: Readonly<Record<string, string>>;
  /** Every header line as it came. */
  readonly rawHeaders: readonly (readonly [string, string])[];
  readonly body: Buffer;
}

/** Answers a request; by default with 200 and nothing. */
export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** A real HTTP server on loopback that remembers what it got. */
export interface TestServer {
  readonly url: string;
  readonly received: Received[];
  /** Takes the place of the default answer; undefined restores it. */
  handler: Handler | undefined;
  /** The newest request; throws where there was none. */
  last(): Received;
  close(): Promise<void>;
}

function pairs(rawHeaders: readonly string[]): [string, string][] {
  const lines: [string, string][] = [];
  for (let index = 0; index < rawHeaders.length; index += 2)
    lines.push([(rawHeaders[index] ?? "").toLowerCase(), rawHeaders[index + 1] ?? ""]);
  return lines;
}

const listen = (server: Server, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => resolve());
  });

/** Starts a server; `answer` is its default handler. */
export async function startServer(answer: Handler, port = 0): Promise<TestServer> {
  const received: Received[] = [];
  const server = createServer(async (request, response) => {
    if (self.handler !== undefined) return self.handler(request, response);
    const body = await buffer(request);
    const rawHeaders = pairs(request.rawHeaders);
    received.push({
      method: request.method ?? "",
      target: request.url ?? "",
      headers: Object.fromEntries(
        Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
      ),
      rawHeaders,
      body,
    });
    answer(request, response);
  });
  server.keepAliveTimeout = 0; // a connection that is closed while it is used anew would be a 502 by chance
  await listen(server, port);
  const { port: bound } = server.address() as AddressInfo;
  const self: TestServer = {
    url: `http://127.0.0.1:${bound}`,
    received,
    handler: undefined,
    last() {
      const newest = received.at(-1);
      if (newest === undefined) throw new Error("no request has arrived");
      return newest;
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  return self;
}

/** An API that answers 200 with `{"ok":true}`. */
export const startOrigin = (port = 0): Promise<TestServer> =>
  startServer((_request, response) => {
    response.setHeader("content-type", "application/json");
    response.end('{"ok":true}');
  }, port);

/** A Cognito that publishes `keys`; every request for them is counted in `received`. */
export async function startCognito(keys: () => readonly JWK[], port = 0): Promise<TestServer> {
  return startServer((_request, response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ keys: keys() }));
  }, port);
}
