import type { KeySetStore } from "../core/token/issuer-keys.ts";
import type { JwksAnswer, JwksSources } from "../core/token/jwks.ts";
import { within } from "./scope.ts";

const JWKS_FETCH_LIMIT_MS = 3_000;
const JWKS_STORE_LIMIT_MS = 1_000;
const MAX_JWKS_BYTES = 64 * 1024;
const MAX_STORED_CHARS = 2 * MAX_JWKS_BYTES; // what was written holds less than what was fetched
/** Milliseconds that a call to KV for a document of the operators has. */
export const DOCUMENT_READ_LIMIT_MS = 3_000;
/** Seconds that KV keeps a document in its own cache: the least that it takes. */
export const KV_CACHE_TTL_SECONDS = 30;
const KEPT_SECONDS = 24 * 60 * 60;

/** Reads at most `limit` bytes of a body as text; rejects beyond. */
async function readBounded(response: Response, limit: number): Promise<string> {
  const reader = response.body?.getReader();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true, value: undefined };
    if (done || value === undefined) break;
    bytes += value.length;
    if (bytes > limit) {
      await reader?.cancel();
      throw new Error(`more than ${limit} bytes`);
    }
    chunks.push(value);
  }
  return new Blob(chunks).text();
}

/** Fetches a JWKS. The limit covers the body too: a byte a second does not hold a request up. */
async function fetchJwks(jwksUrl: string): Promise<JwksAnswer> {
  const signal = AbortSignal.timeout(JWKS_FETCH_LIMIT_MS);
  const fetchAndRead = async (): Promise<JwksAnswer> => {
    const response = await fetch(jwksUrl, {
      headers: { accept: "application/json" },
      redirect: "manual",
      cache: "no-store",
      signal,
    });
    if (response.status !== 200) {
      await response.body?.cancel();
      return { status: response.status };
    }
    return { status: 200, body: JSON.parse(await readBounded(response, MAX_JWKS_BYTES)) };
  };
  return within(fetchAndRead(), JWKS_FETCH_LIMIT_MS);
}

/**
 * Key sets in the Cache API of this data center, under an address of the gateway's own host. Nothing answers
 * there: the entry can be written and read from inside only.
 */
function createCacheStore(gatewayOrigin: string): KeySetStore {
  const keyOf = (issuer: string): string =>
    `${gatewayOrigin}/.well-known/edge-authorizer/jwks/${encodeURIComponent(issuer)}`;
  return {
    async get(issuer) {
      const entry = await within(caches.default.match(keyOf(issuer)), JWKS_STORE_LIMIT_MS);
      return entry === undefined ? undefined : parseJson(await within(entry.text(), JWKS_STORE_LIMIT_MS));
    },
    async put(issuer, document) {
      const headers = {
        "content-type": "application/json",
        "cache-control": `public, max-age=${KEPT_SECONDS}`,
      };
      await caches.default.put(keyOf(issuer), new Response(JSON.stringify(document), { headers }));
    },
  };
}

/** A store of a cron run in an isolate that knows no host to keep entries under. */
const NO_CACHE_STORE: KeySetStore = { get: async () => undefined, put: async () => undefined };

function createKvStore(namespace: KVNamespace): KeySetStore {
  return {
    async get(issuer) {
      const text = await within(
        namespace.get(issuer, { type: "text", cacheTtl: KV_CACHE_TTL_SECONDS }),
        JWKS_STORE_LIMIT_MS,
      );
      return text === null ? undefined : parseJson(text);
    },
    put: (issuer, document) => namespace.put(issuer, JSON.stringify(document)),
  };
}

/** What is too long or cannot be parsed stays text: the check of its form finds it corrupt. */
function parseJson(text: string): unknown {
  if (text.length > MAX_STORED_CHARS) return text; // up to 25 MiB in KV: thousands of keys would be imported
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Where keys come from. `gatewayOrigin`: scheme and host that the gateway is reached at; undefined: no Cache API. */
export const createJwksSources = (
  namespace: KVNamespace,
  gatewayOrigin: string | undefined,
): JwksSources => ({
  cache: gatewayOrigin === undefined ? NO_CACHE_STORE : createCacheStore(gatewayOrigin),
  kv: createKvStore(namespace),
  fetch: fetchJwks,
});

/** The text of a client's allow-list, or null; rejects after 3 s. */
export const readAllowList = (namespace: KVNamespace, clientId: string): Promise<string | null> =>
  within(namespace.get(clientId, { type: "text", cacheTtl: KV_CACHE_TTL_SECONDS }), DOCUMENT_READ_LIMIT_MS);
