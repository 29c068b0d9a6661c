import { REVOCATION_KINDS, type RevocationEntry } from "../core/tenant/revocations.ts";
import { within } from "./scope.ts";
import { DOCUMENT_READ_LIMIT_MS, KV_CACHE_TTL_SECONDS } from "./stores.ts";

/** Milliseconds for a whole listing; each call to KV has 3 s of its own. Half a second a page: 10,000 of a kind in 5 s. */
const LISTING_LIMIT_MS = 10_000;
const MAX_BULK_KEYS = 100; // of KV's get
const LANES = 6; // connections that a Worker may have open at once

/** Calls KV; rejects where there is no answer in time, and at once when an earlier call has failed. */
type Call = <T>(call: () => Promise<T>) => Promise<T>;

/** A listing is of use only whole: once a part of it has failed, or its time is over, nothing more is begun. */
function createCall(): Call {
  const endsAtMs = Date.now() + LISTING_LIMIT_MS;
  let failed = false;
  return async (call) => {
    const leftMs = endsAtMs - Date.now();
    if (failed || leftMs <= 0) throw new Error("the listing has been given up");
    try {
      return await within(call(), Math.min(leftMs, DOCUMENT_READ_LIMIT_MS));
    } catch (error) {
      failed = true;
      throw error;
    }
  };
}

type Keys = KVNamespaceListResult<unknown>["keys"];

/** The keys of one kind, a page after the other: only the page before tells where the next one begins. */
async function listKind(namespace: KVNamespace, kind: string, call: Call): Promise<Keys> {
  const keys: Keys = [];
  let cursor: string | null = null;
  do {
    const options: KVNamespaceListOptions = { prefix: `${kind}:`, cursor };
    const page: KVNamespaceListResult<unknown> = await call(() => namespace.list(options));
    keys.push(...page.keys);
    cursor = page.list_complete ? null : page.cursor;
  } while (cursor !== null);
  return keys;
}

/** One page is enough for most; where it is not, the kinds are listed beside one another. */
async function listKeys(namespace: KVNamespace, call: Call): Promise<Keys> {
  const first = await call(() => namespace.list());
  if (first.list_complete) return first.keys;
  return (await Promise.all(REVOCATION_KINDS.map((kind) => listKind(namespace, kind, call)))).flat();
}

/** The values of keys, a hundred with each call, as many calls at once as there are connections. */
async function readValues(
  namespace: KVNamespace,
  names: readonly string[],
  call: Call,
): Promise<RevocationEntry[]> {
  const entries: RevocationEntry[] = [];
  async function readLane(lane: number): Promise<void> {
    for (let start = lane * MAX_BULK_KEYS; start < names.length; start += LANES * MAX_BULK_KEYS) {
      const some = names.slice(start, start + MAX_BULK_KEYS);
      const values = await call(() => namespace.get(some, { type: "text", cacheTtl: KV_CACHE_TTL_SECONDS }));
      for (const name of some) entries.push({ name, text: values.get(name) ?? undefined });
    }
  }
  await Promise.all(Array.from({ length: LANES }, (_, lane) => readLane(lane)));
  return entries;
}

/**
 * Every live revocation, with its metadata; the value is read only where a key has none. Rejects when a call to KV
 * takes 3 s, or all of them together 10 s, and lets go of the rest. Beyond 1,000 keys, those of no kind are left out.
 */
export async function listRevocations(namespace: KVNamespace): Promise<RevocationEntry[]> {
  const call = createCall();
  const keys = await listKeys(namespace, call);
  const isBare = ({ metadata }: Keys[number]): boolean => metadata === undefined || metadata === null;
  const bare = keys.filter(isBare).map(({ name }) => name);
  const described = keys.filter((key) => !isBare(key)).map(({ name, metadata }) => ({ name, metadata }));
  return [...described, ...(await readValues(namespace, bare, call))];
}
