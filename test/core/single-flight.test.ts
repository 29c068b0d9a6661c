import { describe, expect, it } from "vitest";
import type { Scope } from "../../src/core/scope.ts";
import { createSingleFlight } from "../../src/core/single-flight.ts";

const LIMIT_MS = 1000;

interface TestScope extends Scope {
  nowMs: number;
  readonly deferred: Promise<unknown>[];
  /** Milliseconds that each waiting was limited to. */
  readonly limits: number[];
}

function createScope(nowMs = 5_000): TestScope {
  const scope: TestScope = {
    nowMs,
    deferred: [],
    limits: [],
    now: () => scope.nowMs,
    defer: (work) => void scope.deferred.push(work),
    within(work, limitMs) {
      scope.limits.push(limitMs);
      return work;
    },
    report: () => undefined,
  };
  return scope;
}

/** Work that ends when it is told to, and counts its starts. */
function createWork() {
  const ends: PromiseWithResolvers<string>[] = [];
  return {
    start: () => {
      const end = Promise.withResolvers<string>();
      ends.push(end);
      return end.promise;
    },
    starts: () => ends.length,
    end: (index: number, value: string) => ends[index]?.resolve(value),
    fail: (index: number, message: string) => ends[index]?.reject(new Error(message)),
  };
}

describe("single flight", () => {
  it("starts the work once for all who want it meanwhile", async () => {
    const [flights, work, scope] = [createSingleFlight<string>(LIMIT_MS), createWork(), createScope()];
    const joined = [1, 2, 3].map(() => flights.join("k", scope, work.start));
    expect(work.starts()).toBe(1);
    work.end(0, "done");
    expect(await Promise.all(joined)).toEqual(["done", "done", "done"]);
  });

  it("starts it for each key", async () => {
    const [flights, work, scope] = [createSingleFlight<string>(LIMIT_MS), createWork(), createScope()];
    const joined = ["a", "b"].map((key) => flights.join(key, scope, work.start));
    expect(work.starts()).toBe(2);
    work.end(0, "of a");
    work.end(1, "of b");
    expect(await Promise.all(joined)).toEqual(["of a", "of b"]);
  });

  it("starts it anew once it has ended, well or not", async () => {
    const [flights, work, scope] = [createSingleFlight<string>(LIMIT_MS), createWork(), createScope()];
    const first = flights.join("k", scope, work.start);
    work.end(0, "one");
    expect(await first).toBe("one");
    const second = flights.join("k", scope, work.start);
    work.fail(1, "two failed");
    await expect(second).rejects.toThrow("two failed");
    const third = flights.join("k", scope, work.start);
    work.end(2, "three");
    expect(await third).toBe("three");
  });

  it("tells whether it is under way", async () => {
    const [flights, work, scope] = [createSingleFlight<string>(LIMIT_MS), createWork(), createScope()];
    expect(flights.isUnderWay("k", scope)).toBe(false);
    const joined = flights.join("k", scope, work.start);
    expect(flights.isUnderWay("k", scope)).toBe(true);
    expect(flights.isUnderWay("other", scope)).toBe(false);
    work.end(0, "done");
    await joined;
    expect(flights.isUnderWay("k", scope)).toBe(false);
  });

  it("hands the work to the first request alone, so that it outlives it, and shows it no failure", async () => {
    const [flights, work] = [createSingleFlight<string>(LIMIT_MS), createWork()];
    const [first, second] = [createScope(), createScope()];
    const joined = [flights.join("k", first, work.start), flights.join("k", second, work.start)];
    expect([first.deferred.length, second.deferred.length]).toEqual([1, 0]);
    work.fail(0, "failed");
    expect((await Promise.allSettled(joined)).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(await Promise.all(first.deferred)).toEqual([undefined]);
  });

  it("makes nobody wait longer than what is left of the limit", async () => {
    const [flights, work, scope] = [createSingleFlight<string>(LIMIT_MS), createWork(), createScope()];
    const joined = [flights.join("k", scope, work.start)];
    scope.nowMs += 400;
    joined.push(flights.join("k", scope, work.start));
    scope.nowMs += 599;
    joined.push(flights.join("k", scope, work.start));
    expect(scope.limits).toEqual([1000, 600, 1]);
    expect(flights.isUnderWay("k", scope)).toBe(true);
    expect(work.starts()).toBe(1);
    work.end(0, "done");
    expect(await Promise.all(joined)).toEqual(["done", "done", "done"]);
  });

  it("gives up on work at its limit, and starts anew", async () => {
    const [flights, work, scope] = [createSingleFlight<string>(LIMIT_MS), createWork(), createScope()];
    void flights.join("k", scope, work.start);
    scope.nowMs += 1000;
    expect(flights.isUnderWay("k", scope)).toBe(false);
    const second = flights.join("k", scope, work.start);
    expect(work.starts()).toBe(2);
    expect(scope.limits).toEqual([1000, 1000]);
    work.end(1, "second");
    expect(await second).toBe("second");
  });

  it("does not take the end of given-up work for that of the new one", async () => {
    const [flights, work, scope] = [createSingleFlight<string>(LIMIT_MS), createWork(), createScope()];
    const first = flights.join("k", scope, work.start);
    scope.nowMs += 1000;
    const second = flights.join("k", scope, work.start);
    work.end(0, "late");
    expect(await first).toBe("late");
    expect(flights.isUnderWay("k", scope)).toBe(true);
    const third = flights.join("k", scope, work.start);
    expect(work.starts()).toBe(2);
    work.end(1, "in time");
    expect(await Promise.all([second, third])).toEqual(["in time", "in time"]);
  });

  it("starts anew when the clock was set back", () => {
    const [flights, work, scope] = [createSingleFlight<string>(LIMIT_MS), createWork(), createScope()];
    void flights.join("k", scope, work.start);
    scope.nowMs -= 1;
    expect(flights.isUnderWay("k", scope)).toBe(false);
    void flights.join("k", scope, work.start);
    expect(work.starts()).toBe(2);
  });
});
