import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createLatch } from "../../support/fake-scope.ts";
import { createSigningKey, type SigningKey } from "../../support/tokens.ts";
import {
  answering,
  createJwksWorld,
  ISSUER,
  type Isolate,
  type JwksWorld,
  START_MS,
  unreachable,
} from "./jwks-world.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

let a: SigningKey;
let b: SigningKey;
let world: JwksWorld;
let isolate: Isolate;

beforeAll(async () => {
  [a, b] = await Promise.all([createSigningKey("a"), createSigningKey("b")]);
});

beforeEach(() => {
  world = createJwksWorld([a.jwk]);
  isolate = world.isolate();
});

/** Finds a key and lets the work end that goes on behind it. */
async function find(kid: string): Promise<string> {
  const found = await isolate.find(kid);
  await world.scope.settled();
  return found;
}

describe("a fresh set", () => {
  it("is fetched once from the issuer's own address, then served from memory without a promise", async () => {
    expect(await find("a")).toBe("origin");
    expect(world.urls).toEqual([ISSUER.jwksUrl]);
    const found = isolate.jwks.find(ISSUER, "a", world.sources, world.scope);
    expect(found).toEqual({ key: expect.any(CryptoKey), layer: "memory" });
    expect(world.asked).toEqual([0]);
  });

  it("asks nobody a millisecond before it is 10 minutes old", async () => {
    await find("a");
    await world.scope.advance(10 * MINUTE - 1);
    const reads = world.cache.gets.length;
    expect(await find("a")).toBe("memory");
    expect(world.asked).toEqual([0]);
    expect(world.cache.gets).toHaveLength(reads);
  });

  it("serves and is refreshed behind the request when it is 10 minutes old", async () => {
    await find("a");
    await world.scope.advance(10 * MINUTE);
    expect(await find("a")).toBe("memory");
    expect(world.asked).toEqual([0, 10 * MINUTE]);
    expect(await find("a")).toBe("memory");
    expect(world.asked).toHaveLength(2);
  });

  it("is fresh for 10 minutes again after its refresh", async () => {
    await find("a");
    await world.scope.advance(10 * MINUTE);
    await find("a");
    await world.scope.advance(10 * MINUTE - 1);
    await find("a");
    expect(world.asked).toEqual([0, 10 * MINUTE]);
    await world.scope.advance(1);
    await find("a");
    expect(world.asked).toEqual([0, 10 * MINUTE, 20 * MINUTE]);
  });
});

describe("a stale set", () => {
  it("serves at once while the refresh hangs, and starts one refresh only", async () => {
    await find("a");
    await world.scope.advance(10 * MINUTE);
    const latch = createLatch<never>();
    world.onFetch = () => latch.promise;
    for (let request = 0; request < 20; request += 1) expect(await isolate.find("a")).toBe("memory");
    await world.scope.idle();
    expect(world.asked).toEqual([0, 10 * MINUTE]);
    latch.fail(new Error("reset"));
    await world.scope.settled();
  });

  it("serves until a millisecond before 24 hours after the last good fetch, and not at 24 hours", async () => {
    await find("a");
    world.onFetch = unreachable;
    await world.scope.advance(24 * HOUR - 1);
    expect(await find("a")).toBe("memory");
    await world.scope.advance(1);
    expect(await find("a")).toBe("jwks_unavailable");
    await world.scope.advance(10_000);
    expect(await find("a")).toBe("jwks_unavailable");
    world.onFetch = undefined;
    await world.scope.advance(10_000);
    expect(await find("a")).toBe("origin");
  });

  it("serves 24 hours from the stores too, and no longer", async () => {
    const document = world.document([a.jwk], START_MS - 24 * HOUR + 1);
    world.kv.entries.set(ISSUER.issuer, document);
    world.onFetch = unreachable;
    expect(await find("a")).toBe("kv");
    await world.scope.advance(1);
    expect(await find("a")).toBe("jwks_unavailable");
  });

  it("is asked for again 10 seconds after a failed fetch, not a millisecond sooner", async () => {
    await find("a");
    world.onFetch = answering(500);
    await world.scope.advance(10 * MINUTE);
    await find("a");
    await world.scope.advance(9_999);
    expect(await find("a")).toBe("memory");
    expect(world.asked).toEqual([0, 10 * MINUTE]);
    await world.scope.advance(1);
    expect(await find("a")).toBe("memory");
    expect(world.asked).toEqual([0, 10 * MINUTE, 10 * MINUTE + 10_000]);
  });

  it("takes a newer set from a store instead of asking Cognito", async () => {
    await find("a");
    await world.scope.advance(10 * MINUTE);
    world.kv.entries.set(ISSUER.issuer, world.document([a.jwk, b.jwk], world.scope.now() - 1));
    expect(await find("a")).toBe("memory");
    expect(await find("b")).toBe("memory");
    expect(world.asked).toEqual([0]);
  });

  it("is kept as it is when the answer is no usable set", async () => {
    await find("a");
    for (const body of [
      undefined,
      null,
      "keys",
      [],
      {},
      { keys: {} },
      { keys: [] },
      { keys: [{ kty: "EC" }] },
    ]) {
      world.onFetch = async () => ({ status: 200, body });
      await world.scope.advance(10 * MINUTE);
      expect(await find("a")).toBe("memory");
      expect(world.scope.notices.at(-1)).toEqual({
        event: "jwks_fetch_failed",
        issuer: ISSUER.issuer,
        reason: "no usable key",
      });
    }
  });
});

describe("a cold isolate", () => {
  it("answers 503 at once for 10 seconds after a failed fetch, then asks again", async () => {
    world.onFetch = answering(500);
    expect(await find("a")).toBe("jwks_unavailable");
    expect(world.scope.notices).toEqual([
      { event: "jwks_fetch_failed", issuer: ISSUER.issuer, reason: "status 500" },
    ]);
    world.onFetch = undefined;
    await world.scope.advance(9_999);
    const reads = world.kv.gets.length;
    expect(await find("a")).toBe("jwks_unavailable");
    expect(world.asked).toEqual([0]);
    expect(world.kv.gets).toHaveLength(reads);
    await world.scope.advance(1);
    expect(await find("a")).toBe("origin");
    expect(world.asked).toEqual([0, 10_000]);
  });

  it("takes every status but 200 for a failed fetch, also of a form that must exist", async () => {
    for (const form of ["explicit", "original"] as const)
      for (const status of [201, 204, 301, 400, 403, 404, 429, 500, 503]) {
        const cold = createJwksWorld([a.jwk]);
        cold.onFetch = async () => ({ status, body: { keys: [a.jwk] } });
        expect(await cold.isolate().find("a", { ...ISSUER, form })).toBe("jwks_unavailable");
      }
  });

  it("reports a fetch that was refused by something that is no Error", async () => {
    world.onFetch = () => Promise.reject("reset");
    expect(await find("a")).toBe("jwks_unavailable");
    expect(world.scope.notices).toEqual([
      { event: "jwks_fetch_failed", issuer: ISSUER.issuer, reason: "unknown" },
    ]);
  });
});

describe("a clock that is set back", () => {
  it("does not keep a set fresh that lies in the future", async () => {
    await find("a");
    await world.scope.advance(-2 * HOUR);
    expect(await find("a")).toBe("memory");
    expect(world.asked).toEqual([0, -2 * HOUR]);
    await find("a");
    expect(world.asked).toHaveLength(2);
  });

  it("minds no more than 5 seconds, which another machine may be ahead", async () => {
    await find("a");
    await world.scope.advance(-5_000);
    await find("a");
    expect(world.asked).toEqual([0]);
    await world.scope.advance(-1);
    await find("a");
    expect(world.asked).toEqual([0, -5_001]);
  });

  it("does not lock Cognito out after a failure", async () => {
    world.onFetch = unreachable;
    await find("a");
    await world.scope.advance(-HOUR);
    world.onFetch = undefined;
    expect(await find("a")).toBe("origin");
  });
});
