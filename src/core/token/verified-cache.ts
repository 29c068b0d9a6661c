import type { VerifiedToken } from "./verify.ts";

/** Milliseconds after which a token is verified anew, however long it lives. */
export const VERIFIED_LIFETIME_MS = 5 * 60_000;
/** Tokens that have been seen once. */
const MAX_NEW = 2_000;
/** Tokens that have come back. */
const MAX_KNOWN = 10_000;
/** Characters of all tokens of a segment together: 1,000 each, as Cognito's are, fill it. */
const MAX_CHARS_PER_TOKEN = 1_200;

/** Tokens whose signature this isolate has already verified. */
export interface VerifiedCache {
  /** What was verified for exactly this token; undefined for one that differs in a single character. */
  get(token: string, nowMs: number): VerifiedToken | undefined;
  set(token: string, verified: VerifiedToken, nowMs: number): void;
  delete(token: string): void;
}

interface Entry {
  readonly token: string;
  readonly verified: VerifiedToken;
  readonly untilMs: number;
  wasUsed: boolean;
  /** Neighbours in the order of insertion. */
  older: Entry | undefined;
  newer: Entry | undefined;
}

/** A bounded part of the cache; who was used since the last round is spared once (the CLOCK algorithm). */
interface Segment {
  readonly entries: Map<string, Entry>;
  add(entry: Entry): void;
  delete(token: string): void;
}

function createSegment(maxEntries: number): Segment {
  const entries = new Map<string, Entry>();
  const maxChars = maxEntries * MAX_CHARS_PER_TOKEN;
  let chars = 0;
  // A list of its own, since to find a Map's first entry V8 goes over the places of those that were deleted before it:
  // with one-use tokens a thousand of them, for each request.
  let oldest: Entry | undefined;
  let newest: Entry | undefined;

  function append(entry: Entry): void {
    entry.older = newest;
    entry.newer = undefined;
    if (newest === undefined) oldest = entry;
    else newest.newer = entry;
    newest = entry;
  }

  function unlink({ older, newer }: Entry): void {
    if (older === undefined) oldest = newer;
    else older.newer = newer;
    if (newer === undefined) newest = older;
    else newer.older = older;
  }

  function remove(token: string): void {
    const entry = entries.get(token);
    if (entry === undefined) return;
    entries.delete(token);
    unlink(entry);
    chars -= token.length;
  }

  function evictOne(): void {
    for (let entry = oldest; entry !== undefined; entry = oldest) {
      if (!entry.wasUsed) {
        remove(entry.token);
        return;
      }
      entry.wasUsed = false;
      unlink(entry);
      append(entry);
    }
  }

  return {
    entries,
    add(entry) {
      remove(entry.token);
      entries.set(entry.token, entry);
      append(entry);
      chars += entry.token.length;
      while (entries.size > maxEntries || chars > maxChars) evictOne();
    },
    delete: remove,
  };
}

/**
 * Creates an empty cache of verified tokens, keyed by the whole token. It holds who was verified, never a
 * verdict: time, policy, tenant, revocation and the key itself are checked on every request. A token is held
 * until its `exp`, at most five minutes. New tokens go where only other new ones are pushed out; one that
 * comes back moves on, so a flood of tokens that are used once costs regular callers nothing.
 */
export function createVerifiedCache(): VerifiedCache {
  const fresh = createSegment(MAX_NEW);
  const known = createSegment(MAX_KNOWN);

  function remove(token: string): void {
    fresh.delete(token);
    known.delete(token);
  }

  return {
    get(token, nowMs) {
      const entry = known.entries.get(token) ?? fresh.entries.get(token);
      if (entry === undefined) return undefined;
      if (nowMs >= entry.untilMs) {
        remove(token);
        return undefined;
      }
      if (!entry.wasUsed) {
        entry.wasUsed = true;
        if (fresh.entries.has(token)) {
          fresh.delete(token);
          known.add(entry);
        }
      }
      return entry.verified;
    },
    set(token, verified, nowMs) {
      const untilMs = Math.min(verified.principal.exp * 1000, nowMs + VERIFIED_LIFETIME_MS);
      if (untilMs <= nowMs) return;
      fresh.add({ token, verified, untilMs, wasUsed: false, older: undefined, newer: undefined });
    },
    delete: remove,
  };
}
