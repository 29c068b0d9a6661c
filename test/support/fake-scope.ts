import type { Notice, Scope } from "../../src/core/scope.ts";

/** What a request lends the core, with a clock that stands still until the test moves it. */
export interface FakeScope extends Scope {
  /** Lets everything run, then moves the clock and ends the waits whose time is over. Negative: the clock is set back. */
  advance(milliseconds: number): Promise<void>;
  /** Lets everything run that does not wait for the clock. */
  idle(): Promise<void>;
  /** Resolves once all work has ended that was to go on after its request. */
  settled(): Promise<void>;
  /** Everything that was reported, in order. */
  readonly notices: Notice[];
  /** Limits in milliseconds of the waits that have begun, in order. */
  readonly waits: number[];
}

interface Wait {
  readonly untilMs: number;
  end(): void;
}

/** Real time passes only for work that the runtime does on other threads, such as importing a key. */
const macrotask = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

/** Creates a scope whose clock begins at `startMs` milliseconds since the epoch. */
export function createFakeScope(startMs: number): FakeScope {
  const notices: Notice[] = [];
  const waits: number[] = [];
  const deferred: Promise<unknown>[] = [];
  const waiting = new Set<Wait>();
  let nowMs = startMs;

  async function idle(): Promise<void> {
    for (let turn = 0; turn < 3; turn += 1) await macrotask();
  }

  return {
    now: () => nowMs,
    defer(work) {
      deferred.push(work);
    },
    within(work, limitMs) {
      waits.push(limitMs);
      return new Promise((resolve, reject) => {
        const wait: Wait = { untilMs: nowMs + limitMs, end: () => reject(new Error("too long")) };
        waiting.add(wait);
        work.then(resolve, reject).finally(() => waiting.delete(wait));
      });
    },
    report(notice) {
      notices.push(notice);
    },
    async advance(milliseconds) {
      await idle();
      nowMs += milliseconds;
      for (const wait of waiting) if (wait.untilMs <= nowMs) wait.end();
      await idle();
    },
    idle,
    async settled() {
      while (deferred.length > 0) await deferred.shift();
    },
    notices,
    waits,
  };
}

/** A promise that a test settles. */
export interface Latch<T> {
  readonly promise: Promise<T>;
  open(value: T): void;
  fail(error: Error): void;
}

/** Creates a {@link Latch}; one that is never settled is a request that the runtime has dropped. */
export function createLatch<T>(): Latch<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  return { promise, open: resolve, fail: reject };
}
