import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";

const LIMIT_MS = 10_000;
const MAX_BODY_BYTES = 64 * 1024;

/** A request, sent as it stands: nothing of its path is normalised on the way. */
export interface RawRequest {
  readonly method: string;
  /** Path and query, byte for byte. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** What came back; or why nothing did. */
export type RawAnswer =
  | {
      readonly status: number;
      readonly headers: Readonly<Record<string, string | undefined>>;
      /** At most 64 KiB of it. */
      readonly body: string;
    }
  | { readonly failure: string };

/** Sends one request to an origin (scheme, host, port). Follows no redirect. Never rejects. */
export function sendRaw(origin: URL, { method, target, headers }: RawRequest): Promise<RawAnswer> {
  const send = origin.protocol === "https:" ? httpsRequest : httpRequest;
  return new Promise((resolve) => {
    const fail = (error: Error & { code?: string }) => resolve({ failure: error.code ?? error.message });
    const request = send(
      {
        host: origin.hostname.replace(/^\[|\]$/g, ""),
        port: origin.port === "" ? undefined : Number(origin.port),
        path: target,
        method,
        headers: { "user-agent": "edge-smoke", accept: "application/json", ...headers },
        signal: AbortSignal.timeout(LIMIT_MS),
        agent: false,
      },
      (response) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        response.on("data", (chunk: Buffer) => {
          if (bytes < MAX_BODY_BYTES) chunks.push(chunk);
          bytes += chunk.length;
        });
        response.once("error", fail);
        response.once("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: Object.fromEntries(
              Object.entries(response.headers).map(([name, value]) => [name, value?.toString()]),
            ),
            body: Buffer.concat(chunks).toString("utf8"),
          }),
        );
      },
    );
    request.once("error", fail);
    request.end();
  });
}
