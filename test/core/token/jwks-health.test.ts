import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { JwksAnswer, JwksHealth } from "../../../src/core/token/jwks.ts";
import { createLatch } from "../../support/fake-scope.ts";
import { createSigningKey, type SigningKey } from "../../support/tokens.ts";
import {
  createJwksWorld,
  ISSUER,
  type Isolate,
  type JwksWorld,
  START_MS,
  unreachable,
} from "./jwks-world.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const KEY = ISSUER.issuer;

let a: SigningKey;
let b: SigningKey;
let world: JwksWorld;
let isolate: Isolate;

beforeAll(async () => {
  [a, b] = await Promise.all([createSigningKey("a"), createSigningKey("b")]);
});

beforeEach(() => {
  world = createJwksWorld([a.jwk, b.jwk]);
  isolate = world.isolate();
});

const health = (): Promise<JwksHealth> => isolate.jwks.health(ISSUER, world.sources, world.scope);

describe("the health of an issuer's keys", () => {
  it("is no keys in a cold isolate without stored sets, and never asks Cognito", async () => {
    expect(await health()).toEqual({ keys: 0, fetchedAtMs: undefined, lastFetchFailed: false });
    expect(world.asked).toEqual([]);
    expect(world.cache.gets).toEqual([KEY]);
    expect(world.kv.gets).toEqual([KEY]);
  });

  for (const store of ["cache", "kv"] as const)
    it(`counts the keys that a cold isolate finds in ${store}, and their age`, async () => {
      world[store].entries.set(KEY, world.document([a.jwk], START_MS - MINUTE));
      expect(await health()).toEqual({ keys: 1, fetchedAtMs: START_MS - MINUTE, lastFetchFailed: false });
      expect(world.asked).toEqual([]);
    });

  it("comes from memory while its set is fresh", async () => {
    await isolate.find("a");
    const reads = world.cache.gets.length;
    await world.scope.advance(10 * MINUTE - 1);
    expect(await health()).toEqual({ keys: 2, fetchedAtMs: START_MS, lastFetchFailed: false });
    expect(world.cache.gets).toHaveLength(reads);
    await world.scope.advance(1);
    await health();
    expect(world.cache.gets).toHaveLength(reads + 1);
  });

  it("takes over a newer stored set", async () => {
    await isolate.find("a");
    await world.scope.advance(11 * MINUTE);
    world.kv.entries.set(KEY, world.document([a.jwk], START_MS + 11 * MINUTE));
    expect(await health()).toEqual({
      keys: 1,
      fetchedAtMs: START_MS + 11 * MINUTE,
      lastFetchFailed: false,
    });
  });

  it("counts a set until a millisecond before 24 hours, and none at 24 hours", async () => {
    world.kv.entries.set(KEY, world.document([a.jwk], START_MS - 24 * HOUR + 1));
    expect((await health()).keys).toBe(1);
    await world.scope.advance(1);
    expect(await health()).toEqual({ keys: 0, fetchedAtMs: undefined, lastFetchFailed: false });
  });

  it("tells of a failed fetch until one succeeds", async () => {
    await isolate.find("a");
    world.onFetch = unreachable;
    await world.scope.advance(10_000);
    await isolate.find("x");
    expect(await health()).toEqual({ keys: 2, fetchedAtMs: START_MS, lastFetchFailed: true });
    world.onFetch = undefined;
    await world.scope.advance(10_000);
    await isolate.find("x");
    expect((await health()).lastFetchFailed).toBe(false);
  });

  it("takes a fetch that is under way for no failure", async () => {
    await isolate.find("a");
    const latch = createLatch<never>();
    world.onFetch = () => latch.promise;
    await world.scope.advance(10_000);
    const waiting = isolate.find("x");
    expect((await health()).lastFetchFailed).toBe(false);
    latch.fail(new Error("reset"));
    await waiting;
    expect((await health()).lastFetchFailed).toBe(true);
  });

  it("keeps telling of a failed fetch while the next one is under way", async () => {
    await isolate.find("a");
    world.onFetch = unreachable;
    await world.scope.advance(10_000);
    await isolate.find("x");
    const latch = createLatch<JwksAnswer>();
    world.onFetch = () => latch.promise;
    await world.scope.advance(10_000);
    const waiting = isolate.find("x");
    await world.scope.idle();
    expect((await health()).lastFetchFailed).toBe(true);
    latch.open({ status: 200, body: { keys: [a.jwk] } });
    await waiting;
    expect((await health()).lastFetchFailed).toBe(false);
  });

  for (const [what, fetchedAfterMs, failed] of [
    [
      "no longer tells of a failed fetch once a set has come that another isolate fetched later",
      10_001,
      false,
    ],
    ["tells of a failed fetch although a set has come that another isolate fetched before", 9_999, true],
  ] as const)
    it(what, async () => {
      await isolate.find("a");
      world.onFetch = unreachable;
      await world.scope.advance(10_000);
      await isolate.find("x");
      expect((await health()).lastFetchFailed).toBe(true);
      await world.scope.settled(); // its own set is written
      world.cache.entries.clear();
      world.kv.entries.set(KEY, world.document([a.jwk], START_MS + fetchedAfterMs));
      await world.scope.advance(10 * MINUTE - 10_000);
      expect(await health()).toEqual({
        keys: 1,
        fetchedAtMs: START_MS + fetchedAfterMs,
        lastFetchFailed: failed,
      });
    });
});
