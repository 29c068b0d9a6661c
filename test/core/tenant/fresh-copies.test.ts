import { beforeEach, describe, expect, it } from "vitest";
import { createFreshCopies, type FreshCopies, UNAVAILABLE } from "../../../src/core/tenant/fresh-copies.ts";
import { createFakeScope, createLatch, type FakeScope, type Latch } from "../../support/fake-scope.ts";

const START_MS = 1_800_000_000_000;
const MINUTE = 60_000;

let scope: FakeScope;
let copies: FreshCopies<string>;
/** Milliseconds since the start of every read. */
let reads: number[];
let value: string;
/** Takes the place of a read. */
let onRead: (() => Promise<string>) | undefined;

beforeEach(() => {
  scope = createFakeScope(START_MS);
  copies = createFreshCopies<string>(3);
  reads = [];
  value = "first";
  onRead = undefined;
});

const read = async (): Promise<string> => {
  reads.push(scope.now() - START_MS);
  return onRead === undefined ? value : onRead();
};

const failing = (): Promise<never> => Promise.reject(new Error("down"));
const getNow = (key = "k"): string | symbol | Promise<string | typeof UNAVAILABLE> =>
  copies.get(key, scope, read);
const get = async (key = "k"): Promise<string | symbol> => getNow(key);

describe("a copy", () => {
  it("is read once, then used without a promise", async () => {
    expect(await get()).toBe("first");
    value = "second";
    expect(getNow()).toBe("first");
    expect(reads).toEqual([0]);
  });

  it("is used without a read until it is 20 seconds old", async () => {
    await get();
    await scope.advance(19_999);
    expect(getNow()).toBe("first");
    await scope.settled();
    expect(reads).toEqual([0]);
  });

  it("is used and refreshed behind the request from 20 seconds on", async () => {
    await get();
    value = "second";
    await scope.advance(20_000);
    expect(getNow()).toBe("first");
    await scope.settled();
    expect(reads).toEqual([0, 20_000]);
    expect(getNow()).toBe("second");
  });

  it("is used until a millisecond before 30 seconds, while its refresh hangs", async () => {
    await get();
    onRead = () => createLatch<string>().promise;
    await scope.advance(29_999);
    expect(getNow()).toBe("first");
  });

  it("is not used at 30 seconds: the new read is waited for", async () => {
    await get();
    value = "second";
    await scope.advance(30_000);
    const waited = getNow();
    expect(waited).toBeInstanceOf(Promise);
    expect(await waited).toBe("second");
  });

  it("is as old as the beginning of its read", async () => {
    const latch = createLatch<string>();
    onRead = () => latch.promise;
    const waiting = get();
    await scope.advance(2_000);
    latch.open("first");
    expect(await waiting).toBe("first");
    onRead = undefined;
    value = "second";
    await scope.advance(28_000);
    expect(await getNow()).toBe("second");
  });

  it("is refreshed once for many requests", async () => {
    await get();
    await scope.advance(20_000);
    const latch = createLatch<string>();
    onRead = () => latch.promise;
    for (let request = 0; request < 20; request += 1) expect(getNow()).toBe("first");
    expect(reads).toEqual([0, 20_000]);
    latch.open("second");
    await scope.settled();
    expect(getNow()).toBe("second");
  });

  it("is kept apart from those of other keys", async () => {
    await get("k");
    value = "second";
    expect(await get("l")).toBe("second");
    expect(getNow("k")).toBe("first");
  });

  it("is read anew when the clock was set back before it", async () => {
    await get();
    value = "second";
    await scope.advance(-1);
    expect(await get()).toBe("second");
    expect(reads).toEqual([0, -1]);
  });
});

describe("concurrent requests", () => {
  it("share one read", async () => {
    const all = await Promise.all(Array.from({ length: 50 }, () => get()));
    expect(new Set(all)).toEqual(new Set(["first"]));
    expect(reads).toEqual([0]);
  });

  it("share one failure", async () => {
    onRead = failing;
    const all = await Promise.all(Array.from({ length: 50 }, () => get()));
    expect(new Set(all)).toEqual(new Set([UNAVAILABLE]));
    expect(reads).toEqual([0]);
  });

  it("wait 4 seconds at most for a read whose request was dropped, and the next starts anew", async () => {
    onRead = () => createLatch<string>().promise;
    const answers: unknown[] = [];
    void get().then((answer) => answers.push(answer));
    await scope.advance(3_000);
    void get().then((answer) => answers.push(answer));
    await scope.advance(999);
    expect(answers).toEqual([]);
    await scope.advance(1);
    expect(answers).toEqual([UNAVAILABLE, UNAVAILABLE]);
    onRead = undefined;
    expect(await get()).toBe("first");
    expect(reads).toEqual([0, 4_000]);
  });

  it("leave a dropped refresh alone until it is 4 seconds old", async () => {
    await get();
    await scope.advance(20_000);
    onRead = () => createLatch<string>().promise;
    getNow();
    await scope.advance(3_999);
    getNow();
    expect(reads).toEqual([0, 20_000]);
    await scope.advance(1);
    expect(getNow()).toBe("first");
    expect(reads).toEqual([0, 20_000, 24_000]);
  });

  it("keep sharing a second read when the first, given up, settles after all", async () => {
    const latches = [createLatch<string>(), createLatch<string>()];
    onRead = () => latches[reads.length - 1]?.promise ?? Promise.reject(new Error("a third read"));
    const first = get();
    await scope.advance(4_000);
    expect(await first).toBe(UNAVAILABLE);
    const second = get();
    await scope.idle();
    latches[0]?.fail(new Error("reset"));
    await scope.idle();
    const third = get();
    latches[1]?.open("second");
    expect(await Promise.all([second, third])).toEqual(["second", "second"]);
    expect(reads).toEqual([0, 4_000]);
  });

  it("do not wait on a read that began after now, since the clock was set back", async () => {
    onRead = () => createLatch<string>().promise;
    void get();
    await scope.advance(-1);
    onRead = undefined;
    expect(await get()).toBe("first");
    expect(reads).toEqual([0, -1]);
  });

  it("go on behind their requests: the read is handed to the first one's defer", async () => {
    const latch = createLatch<string>();
    onRead = () => latch.promise;
    void get();
    await scope.idle();
    latch.open("first");
    await scope.settled();
    expect(getNow()).toBe("first");
  });
});

describe("while reads fail", () => {
  it("there is no answer without a copy, and every request asks anew", async () => {
    onRead = failing;
    expect(await get()).toBe(UNAVAILABLE);
    expect(await get()).toBe(UNAVAILABLE);
    expect(reads).toEqual([0, 0]);
    onRead = undefined;
    expect(await get()).toBe("first");
  });

  it("the last good copy serves until a millisecond before 5 minutes, and not at 5 minutes", async () => {
    await get();
    onRead = failing;
    await scope.advance(30_000);
    expect(await get()).toBe("first");
    await scope.advance(5 * MINUTE - 30_001);
    expect(await get()).toBe("first");
    await scope.advance(1);
    expect(await get()).toBe(UNAVAILABLE);
    expect(reads).toEqual([0, 30_000, 5 * MINUTE - 1, 5 * MINUTE]);
  });

  it("a failed refresh behind a request is nobody's failure", async () => {
    await get();
    onRead = failing;
    await scope.advance(20_000);
    expect(getNow()).toBe("first");
    await scope.settled();
    expect(getNow()).toBe("first");
  });

  it("the first read that succeeds ends it", async () => {
    await get();
    onRead = failing;
    await scope.advance(60_000);
    expect(await get()).toBe("first");
    onRead = undefined;
    value = "second";
    expect(await get()).toBe("second");
    expect(getNow()).toBe("second");
  });

  it("the last good copy does not serve from before a clock that was set back", async () => {
    await get();
    onRead = failing;
    await scope.advance(-1);
    expect(await get()).toBe(UNAVAILABLE);
  });
});

describe("while reads fail slowly", () => {
  let latch: Latch<string>;

  /** A read that fails after 3 seconds. */
  async function failSlowly(): Promise<string | symbol> {
    latch = createLatch<string>();
    onRead = () => latch.promise;
    const waiting = get();
    await scope.advance(3_000);
    latch.fail(new Error("too long"));
    return waiting;
  }

  it("the last good copy serves at once for as long as the failure took, then one request waits again", async () => {
    await get();
    await scope.advance(30_000);
    expect(await failSlowly()).toBe("first");
    onRead = failing;
    expect(getNow()).toBe("first");
    await scope.advance(2_999);
    expect(getNow()).toBe("first");
    expect(reads).toEqual([0, 30_000]);
    await scope.advance(1);
    const waited = getNow();
    expect(waited).toBeInstanceOf(Promise);
    expect(await waited).toBe("first");
    expect(reads).toEqual([0, 30_000, 36_000]);
  });

  it("a read that succeeds in between ends the pause", async () => {
    await get();
    await scope.advance(30_000);
    await failSlowly();
    await scope.advance(3_000);
    onRead = undefined;
    value = "second";
    expect(await get()).toBe("second");
    await scope.advance(30_000);
    value = "third";
    expect(await get()).toBe("third");
  });

  it("nobody without a good copy is turned away unread", async () => {
    expect(await failSlowly()).toBe(UNAVAILABLE);
    onRead = undefined;
    expect(await get()).toBe("first");
  });

  it("the pause ends with the last good copy", async () => {
    await get();
    await scope.advance(5 * MINUTE - 3_001);
    expect(await failSlowly()).toBe("first");
    await scope.advance(1);
    onRead = undefined;
    value = "second";
    expect(await get()).toBe("second");
  });
});

describe("the number of copies", () => {
  it("is bounded: the one that was read longest ago goes first", async () => {
    for (const key of ["a", "b", "c"]) await get(key);
    await scope.advance(20_000);
    getNow("a"); // refreshed, so b is the oldest
    await scope.settled();
    await get("d");
    for (const key of ["a", "c", "d"]) expect(getNow(key)).toBe("first");
    await scope.settled();
    const waited = getNow("b");
    expect(waited).toBeInstanceOf(Promise);
    expect(await waited).toBe("first");
  });

  it("is that of keys: the same key read again and again pushes out nobody", async () => {
    for (const key of ["a", "b"]) await get(key);
    for (let round = 0; round < 5; round += 1) {
      await scope.advance(30_000);
      await get("c");
    }
    onRead = failing;
    expect(await get("a")).toBe("first");
    expect(await get("b")).toBe("first");
  });
});

describe("the weight of copies", () => {
  beforeEach(() => {
    copies = createFreshCopies<string>(10, (text) => text.length);
    value = "12345";
  });

  it("pushes out as many of the oldest as it takes, and no more", async () => {
    for (const key of ["a", "b"]) await get(key);
    value = "123456";
    await get("c");
    value = "1";
    expect(getNow("c")).toBe("123456");
    expect(getNow("b")).toBeInstanceOf(Promise);
    await scope.settled();
    await get("d");
    for (const key of ["b", "c", "d"]) expect(getNow(key)).toEqual(expect.any(String));
    expect(getNow("a")).toBeInstanceOf(Promise);
  });

  it("is that of the newest copy of a key", async () => {
    await get("a");
    await scope.advance(30_000);
    value = "1";
    await get("a");
    value = "123456789";
    await get("b");
    expect(getNow("a")).toBe("1");
  });

  it("never keeps out the newest, however much it weighs", async () => {
    await get("a");
    value = "12345678901";
    await get("b");
    expect(getNow("b")).toBe("12345678901");
    expect(getNow("a")).toBeInstanceOf(Promise);
  });
});
