import type { VerifiedToken } from "./verify.ts";

/** Milliseconds after which a token is verified anew, however long it lives. */
export const VERIFIED_LIFETIME_MS = 5 * 60_000;
/** Milliseconds from its verification that a token which has come back keeps its place, to be verified anew in it. */
const PLACE_LIFETIME_MS = 2 * VERIFIED_LIFETIME_MS;
/** Tokens that have come back, at most. */
const MAX_KNOWN = 10_000;
/** All tokens: those that have been seen once have at least 2,000 places, and those that nobody else takes. */
const MAX_TOKENS = 12_000;
/** Characters of all tokens together, for each place; Cognito's have 1,000 to 1,200. */
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
  /** Undefined once its time is over: what is left is the place of one that had come back. */
  verified: VerifiedToken | undefined;
  readonly untilMs: number;
  readonly placeUntilMs: number;
  wasUsed: boolean;
  /** Neighbours in the order of insertion. */
  older: Entry | undefined;
  newer: Entry | undefined;
}

/** A part of the cache. */
interface Segment {
  readonly entries: ReadonlyMap<string, Entry>;
  /** Characters of all its tokens. */
  chars(): number;
  /** Puts an entry in, as the newest, in place of one with the same token. */
  add(entry: Entry): void;
  delete(token: string): void;
  /** Takes out the oldest entries whose place has run out. */
  sweep(nowMs: number): void;
  /** Evicts what is too much; who was used since the last round is spared once (the CLOCK algorithm). */
  shrinkTo(maxEntries: number, maxChars: number): void;
}

function createSegment(): Segment {
  const entries = new Map<string, Entry>();
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
    chars: () => chars,
    add(entry) {
      remove(entry.token);
      entries.set(entry.token, entry);
      append(entry);
      chars += entry.token.length;
    },
    delete: remove,
    sweep(nowMs) {
      while (oldest !== undefined && nowMs >= oldest.placeUntilMs) remove(oldest.token);
    },
    shrinkTo(maxEntries, maxChars) {
      while (entries.size > maxEntries || chars > maxChars) evictOne();
    },
  };
}

/**
 * Creates an empty cache of verified tokens, keyed by the whole token. It holds who was verified, never a
 * verdict: time, policy, tenant, revocation and the key itself are checked on every request. A token is held
 * until its `exp`, at most five minutes. New tokens go where only other new ones are pushed out; one that
 * comes back moves on, and stays there when it is verified anew, so a flood of tokens that are used once costs
 * regular callers nothing. Where few have come back, new ones have their places too.
 */
export function createVerifiedCache(): VerifiedCache {
  const fresh = createSegment();
  const known = createSegment();

  function makeRoom(nowMs: number): void {
    known.sweep(nowMs);
    known.shrinkTo(MAX_KNOWN, MAX_KNOWN * MAX_CHARS_PER_TOKEN);
    fresh.shrinkTo(MAX_TOKENS - known.entries.size, MAX_TOKENS * MAX_CHARS_PER_TOKEN - known.chars());
  }

  return {
    get(token, nowMs) {
      const entry = known.entries.get(token) ?? fresh.entries.get(token);
      if (entry?.verified === undefined) return undefined;
      if (nowMs >= entry.untilMs) {
        entry.verified = undefined;
        fresh.delete(token);
        return undefined;
      }
      if (!entry.wasUsed) {
        entry.wasUsed = true;
        if (fresh.entries.has(token)) {
          fresh.delete(token);
          known.add(entry);
          makeRoom(nowMs);
        }
      }
      return entry.verified;
    },
    set(token, verified, nowMs) {
      const endsMs = verified.principal.exp * 1000;
      const untilMs = Math.min(endsMs, nowMs + VERIFIED_LIFETIME_MS);
      if (untilMs <= nowMs) return;
      const placeUntilMs = Math.min(endsMs, nowMs + PLACE_LIFETIME_MS);
      const segment = known.entries.has(token) ? known : fresh;
      segment.add({
        token,
        verified,
        untilMs,
        placeUntilMs,
        wasUsed: false,
        older: undefined,
        newer: undefined,
      });
      makeRoom(nowMs);
    },
    delete(token) {
      fresh.delete(token);
      known.delete(token);
    },
  };
}
