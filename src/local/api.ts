import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { type LocalServer, startServer } from "./http-server.ts";

/** What a stand-in for the API is. */
export interface ApiOptions {
  /** 0 takes a free port. */
  readonly port: number;
  /** The value of `x-origin-secret` that requests of the gateway carry. */
  readonly originSecret: string;
  /** The stage, which is the first segment of every path; default `prod`. */
  readonly stage?: string;
}

/** A stand-in for an API behind the gateway. */
export interface Api extends LocalServer {
  /** Address of the stage: what `ORIGIN_URL` is to be. */
  readonly originUrl: string;
}

const MAX_ECHO_BYTES = 4096; // of a body; a larger one is told by its size
const SHOWN_TOKEN_CHARS = 16;

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json", "apigw-requestid": randomUUID() });
  response.end(`${JSON.stringify(body, null, 2)}\n`);
}

/** Header lines by lower-case name; repeated ones joined. The secret is not shown, a token not whole. */
function shownHeaders(request: IncomingMessage): Readonly<Record<string, string>> {
  const shown: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headersDistinct)) shown[name] = (value ?? []).join(", ");
  if (shown["x-origin-secret"] !== undefined) shown["x-origin-secret"] = "(the shared secret)";
  const token = shown["authorization"];
  if (token !== undefined) shown["authorization"] = `${token.slice(0, SHOWN_TOKEN_CHARS)}…`;
  return shown;
}

/** Reads a body to its end, and keeps it where it is small. */
async function readBody(request: IncomingMessage): Promise<string | { readonly bytes: number } | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes <= MAX_ECHO_BYTES) chunks.push(chunk);
  }
  if (bytes === 0) return null;
  return bytes <= MAX_ECHO_BYTES ? Buffer.concat(chunks).toString("utf8") : { bytes };
}

/**
 * Starts a stand-in for an API of API Gateway. It answers with what it has received, so that one sees what the gateway
 * forwards; 403 `{"message":"Forbidden"}` to a request without the gateway's secret, as an API must that is public; 404
 * `{"message":"Not Found"}` outside its stage.
 */
export async function startApi({ port, originSecret, stage = "prod" }: ApiOptions): Promise<Api> {
  const prefix = `/${stage}`;

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [path = "", ...query] = (request.url ?? "").split("?");
    const body = await readBody(request);
    if (request.headers["x-origin-secret"] !== originSecret)
      return send(response, 403, { message: "Forbidden" });
    if (path !== prefix && !path.startsWith(`${prefix}/`))
      return send(response, 404, { message: "Not Found" });
    return send(response, 200, {
      method: request.method,
      path: path.slice(prefix.length) || "/",
      query: query.join("?"),
      headers: shownHeaders(request),
      body,
    });
  }

  const server = await startServer((request, response) => {
    handle(request, response).catch(() => response.destroy()); // the client has gone
  }, port);
  return { ...server, originUrl: `${server.url}${prefix}` };
}
