import { describe, expect, it } from "vitest";
import { run, type Steps, settled } from "../../src/core/steps.ts";

function* sum(...terms: (number | Promise<number>)[]): Steps<number> {
  let total = 0;
  for (const term of terms) total += yield* settled(term);
  return total;
}

function* recover(work: Promise<unknown>): Steps<unknown> {
  try {
    return yield* settled(work);
  } catch (error) {
    return `caught ${(error as Error).message}`;
  }
}

// biome-ignore lint/correctness/useYield: steps that fail before they have to wait
function* fail(): Steps<never> {
  throw new Error("at once");
}

function* failLater(): Steps<never> {
  yield* settled(Promise.resolve());
  throw new Error("later");
}

describe("steps", () => {
  it("give a value at once where nothing has to wait", () => {
    expect(run(sum(1, 2, 3))).toBe(6);
    expect(run(sum())).toBe(0);
  });

  it("give a promise where one step has to wait", async () => {
    const result = run(sum(1, Promise.resolve(2), 3));
    expect(result).toBeInstanceOf(Promise);
    expect(await result).toBe(6);
  });

  it("wait for each step, in order", async () => {
    expect(await run(sum(Promise.resolve(1), Promise.resolve(2), 3, Promise.resolve(4)))).toBe(10);
  });

  it("throw at once, or reject later, as they do", async () => {
    expect(() => run(fail())).toThrow("at once");
    await expect(run(failLater())).rejects.toThrow("later");
    await expect(run(sum(1, Promise.reject(new Error("of a step"))))).rejects.toThrow("of a step");
  });

  it("may catch what a step rejects with, and go on", async () => {
    expect(await run(recover(Promise.reject(new Error("it"))))).toBe("caught it");
    function* twice(): Steps<unknown[]> {
      return [yield* recover(Promise.reject(new Error("a"))), yield* settled(Promise.resolve("b"))];
    }
    expect(await run(twice())).toEqual(["caught a", "b"]);
  });

  it("hand on a value that is no promise, whatever it is", () => {
    const value = { kind: "value" };
    expect(run(settled(value))).toBe(value);
    expect(run(settled(undefined))).toBeUndefined();
  });
});
