import { describe, expect, it } from "vitest";
import type { Principal } from "../../../src/core/principal.ts";
import { createVerifiedCache } from "../../../src/core/token/verified-cache.ts";
import type { VerifiedToken } from "../../../src/core/token/verify.ts";

const NOW = 1_800_000_000_000;
const HOUR_SECONDS = 3_600;

/** What a token says, as far as the cache looks at it. */
const verified = (exp = NOW / 1000 + HOUR_SECONDS): VerifiedToken =>
  ({ kid: "k", principal: { exp } as Principal }) as VerifiedToken;

/** A token of so many characters, none like another. */
const token = (name: string | number, characters = 1_000): string => `${name}`.padEnd(characters, ".");

describe("a verified token", () => {
  it("is known until a millisecond before its exp, and not at exp", () => {
    const cache = createVerifiedCache();
    const held = verified(NOW / 1000 + 60);
    cache.set("t", held, NOW);
    expect(cache.get("t", NOW)).toBe(held);
    expect(cache.get("t", NOW + 59_999)).toBe(held);
    expect(cache.get("t", NOW + 60_000)).toBeUndefined();
  });

  it("is known until a millisecond before 5 minutes, however long it lives", () => {
    const cache = createVerifiedCache();
    const held = verified();
    cache.set("t", held, NOW);
    expect(cache.get("t", NOW + 299_999)).toBe(held);
    expect(cache.get("t", NOW + 300_000)).toBeUndefined();
  });

  it("keeps its end when it comes back: it is verified anew after 5 minutes", () => {
    const cache = createVerifiedCache();
    cache.set("t", verified(), NOW);
    for (let second = 0; second < 300; second += 1)
      expect(cache.get("t", NOW + second * 1_000)).toBeDefined();
    expect(cache.get("t", NOW + 300_000)).toBeUndefined();
  });

  it("is gone once its time is over, also for a clock that is set back then", () => {
    for (const uses of [0, 1]) {
      const cache = createVerifiedCache();
      cache.set("t", verified(), NOW);
      for (let use = 0; use < uses; use += 1) cache.get("t", NOW);
      expect(cache.get("t", NOW + 300_000)).toBeUndefined();
      expect(cache.get("t", NOW)).toBeUndefined();
    }
  });

  it("is not held at all from its exp on, as within EXP_TOLERANCE_SECONDS", () => {
    const cache = createVerifiedCache();
    cache.set("t", verified(NOW / 1000), NOW);
    expect(cache.get("t", NOW - 1)).toBeUndefined();
    cache.set("t", verified(NOW / 1000 + 0.001), NOW);
    expect(cache.get("t", NOW)).toBeDefined();
  });

  it("is known by its whole text: one character more, less or other is another token", () => {
    const cache = createVerifiedCache();
    const text = token("a");
    cache.set(text, verified(), NOW);
    for (const other of [`${text}.`, text.slice(0, -1), `${text.slice(0, -1)},`, `b${text.slice(1)}`, ""])
      expect(cache.get(other, NOW)).toBeUndefined();
    expect(cache.get(text, NOW)).toBeDefined();
  });

  it("is unknown after it was deleted, new or come back", () => {
    for (const uses of [0, 1, 2]) {
      const cache = createVerifiedCache();
      cache.set("t", verified(), NOW);
      for (let use = 0; use < uses; use += 1) cache.get("t", NOW);
      cache.delete("t");
      expect(cache.get("t", NOW)).toBeUndefined();
    }
  });

  it("stays what it was until it is verified anew after its deletion", () => {
    const cache = createVerifiedCache();
    const [first, second] = [verified(), verified()];
    cache.set("t", first, NOW);
    cache.set("t", second, NOW);
    expect(cache.get("t", NOW)).toBe(second);
    cache.delete("t");
    cache.set("t", first, NOW);
    expect(cache.get("t", NOW)).toBe(first);
  });
});

/** Uses a token twice, so that it is among those that have come back. */
function comeBack(cache: ReturnType<typeof createVerifiedCache>, text: string, nowMs = NOW): void {
  cache.set(text, verified(), nowMs);
  cache.get(text, nowMs);
}

describe("the room for new tokens", () => {
  it("is 12,000 while nobody has come back: the next one pushes out the oldest", () => {
    const cache = createVerifiedCache();
    for (let index = 0; index < 12_000; index += 1) cache.set(`t${index}`, verified(), NOW);
    expect(cache.get("t0", NOW)).toBeDefined(); // which moves on, and takes the same room
    cache.set("t12000", verified(), NOW);
    expect(cache.get("t1", NOW)).toBeUndefined();
    expect(cache.get("t2", NOW)).toBeDefined();
    expect(cache.get("t12000", NOW)).toBeDefined();
  });

  it("is 2,000 where 10,000 have come back: who comes back takes it from the new ones", () => {
    const cache = createVerifiedCache();
    for (let index = 0; index < 2_001; index += 1) cache.set(`t${index}`, verified(), NOW);
    for (let index = 0; index < 9_998; index += 1) comeBack(cache, `regular${index}`);
    expect(cache.get("t0", NOW)).toBeDefined();
    comeBack(cache, "regular");
    cache.set("t2001", verified(), NOW);
    expect(cache.get("t1", NOW)).toBeUndefined();
    expect(cache.get("t2", NOW)).toBeDefined();
  });

  it("lets 10,000 tokens that are used in turn come back, where nobody else has", () => {
    const cache = createVerifiedCache();
    const tokens = Array.from({ length: 10_000 }, (_, index) => token(index));
    const use = (): number => tokens.filter((each) => cache.get(each, NOW) !== undefined).length;
    for (const each of tokens) cache.set(each, verified(), NOW);
    expect(use()).toBe(10_000);
    for (let index = 0; index < 20_000; index += 1) cache.set(`n${index}`, verified(), NOW);
    expect(use()).toBe(10_000);
  });

  it("is 14,400,000 characters, whatever the number of tokens", () => {
    const cache = createVerifiedCache();
    for (let index = 0; index < 1_800; index += 1) cache.set(token(index, 8_000), verified(), NOW);
    cache.set("x", verified(), NOW);
    expect(cache.get(token(0, 8_000), NOW)).toBeUndefined();
    expect(cache.get(token(1, 8_000), NOW)).toBeDefined();
  });

  it("is 2,400,000 characters where those that have come back take 12,000,000", () => {
    const cache = createVerifiedCache();
    for (let index = 0; index < 1_500; index += 1) comeBack(cache, token(`regular${index}`, 8_000));
    for (let index = 0; index < 301; index += 1) cache.set(token(index, 8_000), verified(), NOW);
    expect(cache.get(token(0, 8_000), NOW)).toBeUndefined();
    expect(cache.get(token(1, 8_000), NOW)).toBeDefined();
  });

  it("is given back by what is deleted, runs out, or is set anew", () => {
    const cache = createVerifiedCache();
    const big = token("big", 8_000);
    for (let round = 0; round < 2_000; round += 1) {
      cache.set(token(round, 8_000), verified(), NOW);
      cache.delete(token(round, 8_000));
      cache.set(token(round, 8_001), verified(NOW / 1000 + 1), NOW);
      cache.get(token(round, 8_001), NOW + 1_000);
      cache.set(big, verified(), NOW);
      cache.delete("never set");
    }
    for (let index = 0; index < 1_799; index += 1) cache.set(token(`n${index}`, 8_000), verified(), NOW);
    expect(cache.get(big, NOW)).toBeDefined();
    for (let index = 0; index < 1_799; index += 1)
      expect(cache.get(token(`n${index}`, 8_000), NOW)).toBeDefined();
  });

  it("is given back by what was pushed out", () => {
    const cache = createVerifiedCache();
    for (let index = 0; index < 4_000; index += 1) cache.set(token(index, 8_000), verified(), NOW);
    const held = Array.from({ length: 4_000 }, (_, index) => cache.get(token(index, 8_000), NOW));
    expect(held.filter((each) => each !== undefined)).toHaveLength(1_800);
  });
});

describe("a flood of tokens that are used once", () => {
  it("pushes out no token that has come back, however long it lasts", () => {
    const cache = createVerifiedCache();
    const regulars = Array.from({ length: 1_000 }, (_, index) => token(`regular${index}`));
    for (const each of regulars) comeBack(cache, each);
    for (let index = 0; index < 20_000; index += 1) cache.set(token(index, 2_000), verified(), NOW);
    for (const each of regulars) expect(cache.get(each, NOW)).toBeDefined();
  });

  it("pushes out no token that is verified anew every 5 minutes", () => {
    const cache = createVerifiedCache();
    comeBack(cache, "regular");
    for (let minute = 5; minute < 60; minute += 5) {
      const nowMs = NOW + minute * 60_000;
      expect(cache.get("regular", nowMs)).toBeUndefined();
      cache.set("regular", verified(), nowMs);
      for (let index = 0; index < 15_000; index += 1) cache.set(`n${index}`, verified(), nowMs);
      expect(cache.get("regular", nowMs + 1)).toBeDefined();
    }
  });

  it.each([
    ["calls a millisecond before 10 minutes are over", 599_999, true],
    ["has not called for 10 minutes", 600_000, false],
  ])("leaves the place of one that %s: %s ms, %s", (_what, afterMs, stays) => {
    const cache = createVerifiedCache();
    comeBack(cache, "regular");
    const nowMs = NOW + afterMs;
    comeBack(cache, "somebody else", nowMs); // here places are swept
    cache.set("regular", verified(), nowMs);
    for (let index = 0; index < 15_000; index += 1) cache.set(`n${index}`, verified(), nowMs);
    expect(cache.get("regular", nowMs) !== undefined).toBe(stays);
  });
});

describe("the room for tokens that have come back", () => {
  /** A cache whose room is full: `count` tokens, each used twice. */
  function fill(count: number, characters = 20): ReturnType<typeof createVerifiedCache> {
    const cache = createVerifiedCache();
    for (let index = 0; index < count; index += 1) comeBack(cache, token(index, characters));
    return cache;
  }
  const known = (
    cache: ReturnType<typeof createVerifiedCache>,
    indices: number[],
    characters = 20,
  ): number[] => indices.filter((index) => cache.get(token(index, characters), NOW) !== undefined);

  it("is 10,000", () => {
    const cache = fill(10_000);
    const all = Array.from({ length: 10_000 }, (_, index) => index);
    expect(known(cache, all)).toHaveLength(10_000);
  });

  it("spares once whom it saw since the last round, and pushes out the first that it did not see", () => {
    const cache = fill(10_000);
    comeBack(cache, "new1"); // a round: everybody was seen, so the oldest goes
    for (let index = 1; index <= 3; index += 1) cache.get(token(index, 20), NOW);
    comeBack(cache, "new2");
    expect(known(cache, [0, 1, 2, 3, 4, 5])).toEqual([1, 2, 3, 5]);
    expect(cache.get("new1", NOW)).toBeDefined();
    expect(cache.get("new2", NOW)).toBeDefined();
  });

  it("is 12,000,000 characters, whatever the number of tokens", () => {
    const cache = fill(1_500, 8_000);
    const all = Array.from({ length: 1_500 }, (_, index) => index);
    expect(known(cache, all, 8_000)).toHaveLength(1_500);
    comeBack(cache, "x");
    expect(known(cache, all, 8_000)).toHaveLength(1_499);
    expect(cache.get("x", NOW)).toBeDefined();
  });

  it("holds a token that was verified twice at the same time once, as a regular", () => {
    const cache = createVerifiedCache();
    cache.set("t", verified(), NOW);
    cache.get("t", NOW);
    cache.set("t", verified(), NOW); // the other request's
    for (let index = 0; index < 3_000; index += 1) cache.set(`n${index}`, verified(), NOW);
    expect(cache.get("t", NOW)).toBeDefined();
    cache.delete("t");
    expect(cache.get("t", NOW)).toBeUndefined();
  });
});
