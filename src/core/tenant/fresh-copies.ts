import type { Scope } from "../scope.ts";
import { createSingleFlight } from "../single-flight.ts";

/** Milliseconds after which a copy is refreshed in the background while it still serves. */
export const COPY_REFRESH_MS = 20_000;
/** Milliseconds after which a copy is not used without a new read. */
export const COPY_MAX_AGE_MS = 30_000;
/** Milliseconds after its read that a copy still serves while reads fail. */
export const COPY_LAST_GOOD_MS = 5 * 60_000;
/** Milliseconds that a request waits for another one's read, by default: above the adapter's limit of 3 s. */
const SHARED_LIMIT_MS = 4_000;

/** There is no copy that may be used, and none can be read. */
export const UNAVAILABLE = Symbol("unavailable");

interface Copy<T> {
  readonly value: T;
  /** When the read began: the copy is at least this new. */
  readonly readAtMs: number;
  /** After a read that failed slowly (a hanging store), requests are not made to wait for the next one too. */
  pausedUntilMs: number;
}

/** Copies of documents that live elsewhere, kept in the isolate. */
export interface FreshCopies<T> {
  /** The document of `key`; without a promise while the isolate's copy is fresh. */
  get(
    key: string,
    scope: Scope,
    read: () => Promise<T>,
  ): T | typeof UNAVAILABLE | Promise<T | typeof UNAVAILABLE>;
}

/**
 * Creates copies that are refreshed ahead of their end, so that a busy isolate never waits; one read serves
 * the concurrent requests for a key. When reads fail, the last good copy serves for five minutes. Copies of
 * `maxWeight` together are held, and the newest whatever it weighs; the one that was read longest ago goes
 * first. Each weighs 1 unless `weigh` says otherwise. Nobody waits for a read beyond `sharedLimitMs`.
 */
export function createFreshCopies<T>(
  maxWeight: number,
  weigh: (value: T) => number = () => 1,
  sharedLimitMs = SHARED_LIMIT_MS,
): FreshCopies<T> {
  const copies = new Map<string, Copy<T>>();
  let weight = 0;
  const reading = createSingleFlight<T>(sharedLimitMs);

  function drop(key: string): void {
    const copy = copies.get(key);
    if (copy !== undefined && copies.delete(key)) weight -= weigh(copy.value);
  }

  function keep(key: string, copy: Copy<T>): void {
    drop(key); // to the end: a Map keeps the order of insertion
    copies.set(key, copy);
    weight += weigh(copy.value);
    for (const oldest of copies.keys()) {
      if (weight <= maxWeight || oldest === key) return;
      drop(oldest);
    }
  }

  async function readAnew(key: string, scope: Scope, read: () => Promise<T>): Promise<T> {
    const readAtMs = scope.now();
    try {
      const value = await read();
      keep(key, { value, readAtMs, pausedUntilMs: 0 });
      return value;
    } catch (error) {
      const failedAtMs = scope.now();
      const copy = copies.get(key);
      if (copy !== undefined) copy.pausedUntilMs = failedAtMs + (failedAtMs - readAtMs);
      throw error;
    }
  }

  const refresh = (key: string, scope: Scope, read: () => Promise<T>): Promise<T> =>
    reading.join(key, scope, () => readAnew(key, scope, read));

  const isUsable = (copy: Copy<T>, limitMs: number, nowMs: number): boolean =>
    nowMs - copy.readAtMs < limitMs && nowMs >= copy.readAtMs;

  async function getAnew(key: string, scope: Scope, read: () => Promise<T>): Promise<T | typeof UNAVAILABLE> {
    try {
      return await refresh(key, scope, read);
    } catch {
      return lastGood(key, scope);
    }
  }

  function lastGood(key: string, scope: Scope): T | typeof UNAVAILABLE {
    const copy = copies.get(key);
    return copy !== undefined && isUsable(copy, COPY_LAST_GOOD_MS, scope.now()) ? copy.value : UNAVAILABLE;
  }

  return {
    get(key, scope, read) {
      const nowMs = scope.now();
      const copy = copies.get(key);
      if (copy === undefined) return getAnew(key, scope, read);
      if (!isUsable(copy, COPY_MAX_AGE_MS, nowMs)) {
        const waitingIsVain = nowMs < copy.pausedUntilMs && lastGood(key, scope) !== UNAVAILABLE;
        return waitingIsVain ? copy.value : getAnew(key, scope, read);
      }
      if (!isUsable(copy, COPY_REFRESH_MS, nowMs) && !reading.isUnderWay(key, scope))
        scope.defer(refresh(key, scope, read).catch(() => undefined));
      return copy.value;
    },
  };
}
