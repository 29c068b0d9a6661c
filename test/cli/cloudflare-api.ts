import type { ServerResponse } from "node:http";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

/** A document as Cloudflare keeps it. */
interface StoredDocument {
  readonly value: string;
  readonly metadata?: unknown;
  readonly expiration?: number;
}

/** Cloudflare's KV API, as wrangler's `--remote` asks it. */
export interface CloudflareApi {
  /** Documents by namespace id. */
  readonly namespaces: Map<string, Map<string, StoredDocument>>;
  /** `METHOD path` of each request. */
  readonly requests: string[];
  /** Variables that lead wrangler here. */
  readonly env: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/** Cloudflare: KV API, limits of one request. */
const MAX_READ_KEYS = 100;
const PAGE_KEYS = 1_000;
const TOKEN = "api-token-of-the-tests";

const NAMESPACE = /^\/accounts\/account\/storage\/kv\/namespaces\/(\w+)\/(keys|bulk\/get|bulk)$/;

interface BulkDocument {
  readonly key: string;
  readonly value: string;
  readonly metadata?: unknown;
  readonly expiration_ttl?: number;
}

function send(response: ServerResponse, status: number, result: unknown, more: object = {}): void {
  const errors = status === 200 ? [] : [{ code: status, message: String(result) }];
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify({ success: status === 200, errors, messages: [], result, ...more }));
}

/** Starts the API on loopback, with its documented limits. */
export async function startCloudflareApi(): Promise<CloudflareApi> {
  const namespaces = new Map<string, Map<string, StoredDocument>>();
  const requests: string[] = [];
  const documentsOf = (id: string): Map<string, StoredDocument> => {
    const known = namespaces.get(id) ?? new Map<string, StoredDocument>();
    namespaces.set(id, known);
    return known;
  };

  function list(documents: Map<string, StoredDocument>, query: URLSearchParams, response: ServerResponse) {
    const prefix = query.get("prefix") ?? "";
    const names = [...documents.keys()].filter((name) => name.startsWith(prefix)).toSorted();
    const start = Number(query.get("cursor") ?? 0);
    const page = names.slice(start, start + PAGE_KEYS).map((name) => {
      const { metadata, expiration } = documents.get(name) ?? {};
      return { name, ...(metadata !== undefined && { metadata }), ...(expiration && { expiration }) };
    });
    const cursor = start + PAGE_KEYS < names.length ? String(start + PAGE_KEYS) : "";
    send(response, 200, page, { result_info: { count: page.length, cursor } });
  }

  function put(documents: Map<string, StoredDocument>, body: readonly BulkDocument[]): void {
    const now = Math.floor(Date.now() / 1000);
    for (const { key, value, metadata, expiration_ttl: ttl } of body)
      documents.set(key, {
        value,
        ...(metadata !== undefined && { metadata }),
        ...(ttl !== undefined && { expiration: now + ttl }),
      });
  }

  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? "/", "http://api");
    requests.push(`${request.method} ${url.pathname}`);
    if (request.headers.authorization !== `Bearer ${TOKEN}`)
      return send(response, 403, "Authentication error");
    const [, id = "", action] = NAMESPACE.exec(url.pathname) ?? [];
    const documents = documentsOf(id);
    const body = await text(request);
    if (action === "keys") return list(documents, url.searchParams, response);
    if (action === "bulk/get") {
      const { keys } = JSON.parse(body) as { keys: string[] };
      if (keys.length > MAX_READ_KEYS) return send(response, 400, "too many keys");
      const values = keys.map((key) => [key, documents.get(key)?.value ?? null]);
      return send(response, 200, { values: Object.fromEntries(values) });
    }
    if (action === "bulk" && request.method === "PUT") put(documents, JSON.parse(body));
    else if (action === "bulk" && request.method === "DELETE")
      for (const key of JSON.parse(body) as string[]) documents.delete(key);
    else return send(response, 404, "no such address");
    return send(response, 200, {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    namespaces,
    requests,
    env: {
      CLOUDFLARE_API_BASE_URL: `http://127.0.0.1:${port}`,
      CLOUDFLARE_API_TOKEN: TOKEN,
      CLOUDFLARE_ACCOUNT_ID: "account",
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
