import type { Scope } from "../scope.ts";
import { importKeySet, isFromFuture, type KeySet, type KeySetDocument, parseDocument } from "./key-set.ts";

/** Milliseconds that a key set is used without a look for a newer one. */
export const JWKS_FRESH_MS = 10 * 60_000;
/** Milliseconds after its fetch that a key set still serves while Cognito cannot be reached. */
export const JWKS_STALE_MS = 24 * 60 * 60_000;
/** Milliseconds from a failed question to Cognito to the next, and between two for unknown `kid`s, for one issuer. */
export const JWKS_RETRY_MS = 10_000;

/**
 * How the last question to Cognito ended. `unused`: the second issuer form of a pool that does not use it.
 * `pending`: not yet, or never, where the request that asked was dropped.
 */
export type AskOutcome = "ok" | "failed" | "unused" | "pending";

/** What an isolate knows of one issuer's keys. Settled values with timestamps only. */
export interface IssuerKeys {
  keySet: KeySet | undefined;
  /** When this isolate last asked Cognito; undefined: never. */
  askedAtMs: number | undefined;
  /** When this isolate last asked Cognito for an unknown `kid`; undefined: never. */
  unknownAskedAtMs: number | undefined;
  lastOutcome: AskOutcome;
  /** When the last question that has ended failed; undefined: it did not, or there was none. */
  failedAtMs: number | undefined;
  /** Every store was read last with the answer that it has no entry: there has never been a set. */
  neverStored: boolean;
}

/** A store of key-set documents: Cache API or KV. Reads are bounded in time by the adapter; both may reject. */
export interface KeySetStore {
  /** The decoded document, whatever it is, null too; undefined where there is none. */
  get(issuer: string): Promise<unknown>;
  put(issuer: string, document: KeySetDocument): Promise<void>;
}

/** The stores outside the isolate, nearest first. */
export interface KeySetStores {
  readonly cache: KeySetStore;
  readonly kv: KeySetStore;
}

/** The name of a store, as the log spells it. */
export type StoreName = keyof KeySetStores;

const ageMs = (keySet: KeySet, nowMs: number): number => nowMs - keySet.document.fetched_at_ms;

/** The set that may still verify: at most {@link JWKS_STALE_MS} old. */
export const servableSet = ({ keySet }: IssuerKeys, nowMs: number): KeySet | undefined =>
  keySet !== undefined && ageMs(keySet, nowMs) < JWKS_STALE_MS ? keySet : undefined;

/** Is the set at most {@link JWKS_FRESH_MS} old? One from the future, since the clock was set back, is not. */
export const isFresh = ({ keySet }: IssuerKeys, nowMs: number): boolean =>
  keySet !== undefined &&
  ageMs(keySet, nowMs) < JWKS_FRESH_MS &&
  !isFromFuture(keySet.document.fetched_at_ms, nowMs);

/** Has Cognito failed since the set was fetched, here or by another isolate? A question that is under way changes nothing. */
export const hasFailedSince = ({ keySet, failedAtMs }: IssuerKeys): boolean =>
  failedAtMs !== undefined && (keySet === undefined || keySet.document.fetched_at_ms < failedAtMs);

/** A clock that was set back does not lock anybody out. */
const isLongAgo = (ms: number | undefined, nowMs: number): boolean =>
  ms === undefined || nowMs - ms >= JWKS_RETRY_MS || nowMs < ms;

/** Has it been long enough since Cognito was last asked? */
export const mayAsk = ({ askedAtMs }: IssuerKeys, nowMs: number): boolean => isLongAgo(askedAtMs, nowMs);

/** May somebody ask who need not wait for what others asked: the cron? A failure keeps all of them waiting. */
export const mayAskAhead = (keys: IssuerKeys, nowMs: number): boolean =>
  keys.lastOutcome === "ok" || mayAsk(keys, nowMs);

/**
 * May an unknown `kid` ask? A set that was fetched a moment ago for a known one may have been overtaken by a rotation,
 * so only unknown ones keep each other waiting, and failures all.
 */
export const mayAskForUnknown = (keys: IssuerKeys, nowMs: number): boolean =>
  isLongAgo(keys.unknownAskedAtMs, nowMs) && mayAskAhead(keys, nowMs);

const isNewer = ({ fetched_at_ms }: KeySetDocument, { keySet }: IssuerKeys): boolean =>
  keySet === undefined || fetched_at_ms > keySet.document.fetched_at_ms;

/** Takes a document over into memory, if it is newer than what is there. */
export async function adopt(keys: IssuerKeys, document: KeySetDocument): Promise<boolean> {
  if (!isNewer(document, keys)) return false;
  const keySet = await importKeySet(document, keys.keySet);
  // a set that was fetched while this one was imported stays: it may have withdrawn a key
  if (keySet === undefined || !isNewer(document, keys)) return false;
  keys.keySet = keySet;
  return true;
}

/** Writes a document to a store; a failure is reported, not thrown: the next refresh writes again. */
export async function putDocument(
  name: StoreName,
  document: KeySetDocument,
  stores: KeySetStores,
  scope: Scope,
): Promise<void> {
  try {
    await stores[name].put(document.issuer, document);
  } catch {
    scope.report({ event: "jwks_store_failed", store: name, operation: "put", issuer: document.issuer });
  }
}

/** What a store holds for an issuer, a document of whatever age. `unread`: it could not be asked. */
export type Stored = KeySetDocument | "none" | "corrupt" | "unread";

/** Is it a document that may be used, as to its form? */
export const isDocument = (stored: Stored): stored is KeySetDocument => typeof stored !== "string";

/** Reads a store. Failures and corrupt entries are reported. */
export async function getDocument(
  name: StoreName,
  issuer: string,
  stores: KeySetStores,
  scope: Scope,
): Promise<Stored> {
  let value: unknown;
  try {
    value = await stores[name].get(issuer);
  } catch {
    scope.report({ event: "jwks_store_failed", store: name, operation: "get", issuer });
    return "unread";
  }
  if (value === undefined) return "none";
  const document = parseDocument(value, issuer, scope.now());
  if (document !== undefined) return document;
  scope.report({ event: "jwks_entry_corrupt", store: name, issuer });
  return "corrupt";
}

/**
 * Takes over the newest stored set, nearest store first; the next store is asked only while nothing fresh was
 * found. Returns the store that brought something newer than memory had.
 */
export async function loadStored(
  keys: IssuerKeys,
  issuer: string,
  stores: KeySetStores,
  scope: Scope,
): Promise<StoreName | undefined> {
  let newest: StoreName | undefined;
  let neverStored = true;
  for (const name of ["cache", "kv"] as const) {
    const stored = await getDocument(name, issuer, stores, scope);
    if (stored !== "none") neverStored = false;
    if (!isDocument(stored) || !(await adopt(keys, stored))) continue;
    newest = name;
    if (name === "kv") scope.defer(putDocument("cache", stored, stores, scope));
    if (isFresh(keys, scope.now())) break;
  }
  keys.neverStored = neverStored;
  return newest;
}
