import { connect } from "node:net";

/** A response as it came over the wire. */
export interface RawResponse {
  /** 0 where the connection ended without one. */
  readonly status: number;
  /** Names in lower case, in their order. */
  readonly headers: readonly (readonly [string, string])[];
  /** What followed the head, chunk sizes and all. */
  readonly body: string;
}

function parseResponse(text: string): RawResponse {
  const headEnd = text.indexOf("\r\n\r\n");
  const [statusLine = "", ...lines] = (headEnd === -1 ? text : text.slice(0, headEnd)).split("\r\n");
  return {
    status: Number(statusLine.split(" ")[1] ?? 0),
    headers: lines.map((line): [string, string] => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
    body: headEnd === -1 ? "" : text.slice(headEnd + 4),
  };
}

/**
 * Sends these very bytes over a connection of its own, and reads until it closes. `text` is Latin-1: one
 * character, one byte. No HTTP client lets such targets and header lines through.
 */
export const sendBytes = (url: string, text: string, limitMs = 10_000): Promise<RawResponse> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    let received = "";
    const socket = connect(Number(port), hostname, () => socket.write(Buffer.from(text, "latin1")));
    const timer = setTimeout(() => socket.destroy(new Error(`no answer within ${limitMs} ms`)), limitMs);
    socket.on("data", (chunk: Buffer) => {
      received += chunk.toString("latin1");
    });
    socket.on("error", reject);
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(parseResponse(received));
    });
  });

/** A request of a line and header lines, without body; `Host` and `Connection: close` are added. */
export const sendRequest = (
  url: string,
  target: string,
  lines: readonly string[] = [],
  method = "GET",
): Promise<RawResponse> =>
  sendBytes(
    url,
    [`${method} ${target} HTTP/1.1`, "Host: api.example", "Connection: close", ...lines, "", ""].join("\r\n"),
  );
