import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { JwksAnswer } from "../../../src/core/token/jwks.ts";
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

const OTHER = { ...ISSUER, issuer: "https://cognito.example/us-east-2_B" };

let a: SigningKey;
let b: SigningKey;
let world: JwksWorld;
let isolate: Isolate;

beforeAll(async () => {
  [a, b] = await Promise.all([createSigningKey("a"), createSigningKey("b")]);
});

/** A warm isolate whose last question to Cognito is long enough ago. */
beforeEach(async () => {
  world = createJwksWorld([a.jwk]);
  isolate = world.isolate();
  await isolate.find("a");
  await world.scope.advance(60_000);
  world.asked.length = 0;
});

const sinceWarm = (): number[] => world.asked.map((ms) => ms - 60_000);

describe("an unknown kid", () => {
  it("asks Cognito at once, though the set is fresh, and the new key is accepted on its first use", async () => {
    world.keys = [a.jwk, b.jwk];
    expect(await isolate.find("b")).toBe("origin");
    expect(sinceWarm()).toEqual([0]);
    expect(await isolate.find("b")).toBe("memory");
    expect(await isolate.find("a")).toBe("memory");
    expect(sinceWarm()).toEqual([0]);
  });

  it("is invalid_signature when Cognito does not know it either", async () => {
    expect(await isolate.find("x")).toBe("invalid_signature");
    expect(sinceWarm()).toEqual([0]);
  });

  it("asks at once a moment after the set was fetched for a known one, so that a rotation holds up nobody", async () => {
    const young = createJwksWorld([a.jwk]);
    const cold = young.isolate();
    expect(await cold.find("a")).toBe("origin");
    young.keys = [b.jwk];
    await young.scope.advance(1);
    expect(await cold.find("b")).toBe("origin");
    expect(await cold.find("x")).toBe("invalid_signature");
    expect(young.asked).toEqual([0, 1]);
  });

  it("does not ask a moment after a fetch that failed for a known one", async () => {
    const young = createJwksWorld([a.jwk]);
    young.kv.entries.set(ISSUER.issuer, young.document([a.jwk], START_MS - 600_000)); // stale, so it is refreshed
    young.onFetch = unreachable;
    const cold = young.isolate();
    expect(await cold.find("a")).toBe("kv");
    await young.scope.settled();
    young.onFetch = undefined;
    await young.scope.advance(1);
    expect(await cold.find("x")).toBe("jwks_unavailable");
    expect(young.asked).toEqual([0]);
  });

  it("asks again 10 seconds after the last question, not a millisecond sooner", async () => {
    await isolate.find("x");
    await world.scope.advance(9_999);
    expect(await isolate.find("y")).toBe("invalid_signature");
    expect(sinceWarm()).toEqual([0]);
    await world.scope.advance(1);
    expect(await isolate.find("y")).toBe("invalid_signature");
    expect(sinceWarm()).toEqual([0, 10_000]);
  });

  it("counts the fetch that warmed the isolate as a question", async () => {
    const cold = world.isolate();
    await world.scope.advance(600_000);
    world.asked.length = 0;
    expect(await cold.find("x")).toBe("invalid_signature");
    expect(world.asked).toHaveLength(1);
  });

  it("does not hold up another issuer's new key", async () => {
    expect(await isolate.find("x")).toBe("invalid_signature");
    expect(await isolate.find("a", OTHER)).toBe("origin");
    await world.scope.advance(10_000);
    world.keys = [a.jwk, b.jwk];
    expect(await isolate.find("x")).toBe("invalid_signature");
    expect(await isolate.find("b", OTHER)).toBe("origin");
  });

  it("is jwks_unavailable once the last question failed, until one succeeds", async () => {
    world.onFetch = unreachable;
    expect(await isolate.find("x")).toBe("jwks_unavailable");
    world.onFetch = undefined;
    await world.scope.advance(9_999);
    expect(await isolate.find("x")).toBe("jwks_unavailable");
    expect(await isolate.find("a")).toBe("memory");
    expect(sinceWarm()).toEqual([0]);
    await world.scope.advance(1);
    expect(await isolate.find("x")).toBe("invalid_signature");
    await world.scope.advance(1);
    expect(await isolate.find("x")).toBe("invalid_signature");
    expect(sinceWarm()).toEqual([0, 10_000]);
  });

  it("is jwks_unavailable where the stores' set does not know it and Cognito cannot be asked", async () => {
    const cold = createJwksWorld([a.jwk]);
    cold.onFetch = unreachable;
    cold.kv.entries.set(ISSUER.issuer, cold.document([a.jwk], START_MS));
    const second = cold.isolate();
    expect(await second.find("x")).toBe("jwks_unavailable");
    expect(await second.find("a")).toBe("memory");
  });

  it("is asked for beyond a fresh set of the stores", async () => {
    const cold = createJwksWorld([a.jwk, b.jwk]);
    cold.cache.entries.set(ISSUER.issuer, cold.document([a.jwk], START_MS));
    expect(await cold.isolate().find("b")).toBe("origin");
    expect(cold.asked).toEqual([0]);
  });

  it("may be asked for at once when the clock was set back", async () => {
    await isolate.find("x");
    await world.scope.advance(-1);
    await isolate.find("x");
    expect(sinceWarm()).toEqual([0, -1]);
  });
});

describe("a flood of invented kids", () => {
  it("costs Cognito one question for those that come together", async () => {
    const answers = await Promise.all(Array.from({ length: 500 }, (_, index) => isolate.find(`x${index}`)));
    expect(new Set(answers)).toEqual(new Set(["invalid_signature"]));
    expect(sinceWarm()).toEqual([0]);
  });

  it("costs Cognito at most 6 requests in any minute", async () => {
    for (let second = 0; second < 180; second += 1) {
      await Promise.all(Array.from({ length: 5 }, (_, index) => isolate.find(`x${second}-${index}`)));
      await world.scope.advance(1_000);
    }
    for (const from of sinceWarm())
      expect(sinceWarm().filter((ms) => ms >= from && ms < from + 60_000).length).toBeLessThanOrEqual(6);
    expect(sinceWarm()).toHaveLength(18);
  });

  it("costs a cold isolate one question, and the key of its first answer is served", async () => {
    const cold = createJwksWorld([a.jwk]);
    const second = cold.isolate();
    const kids = Array.from({ length: 100 }, (_, index) => (index === 50 ? "a" : `x${index}`));
    const answers = await Promise.all(kids.map((kid) => second.find(kid)));
    expect(answers.filter((answer) => answer === "origin")).toHaveLength(1);
    expect(answers.filter((answer) => answer === "invalid_signature")).toHaveLength(99);
    expect(cold.asked).toEqual([0]);
  });

  it("keeps a real new key waiting for 10 seconds after its first use at most", async () => {
    await isolate.find("x0"); // the flood has just used up the question
    world.keys = [a.jwk, b.jwk];
    await world.scope.advance(1);
    let waited = 0;
    while ((await isolate.find("b")) !== "origin") {
      expect(await isolate.find(`x${waited}`)).toBe("invalid_signature");
      await world.scope.advance(100);
      waited += 100;
      expect(waited).toBeLessThanOrEqual(10_000);
    }
    expect(sinceWarm()).toEqual([0, 10_001]);
  });
});

describe("a question that is under way", () => {
  it("is waited for by every unknown kid, and its answer serves them all", async () => {
    const latch = createLatch<JwksAnswer>();
    world.onFetch = () => latch.promise;
    const waiting = ["b", "x", "b"].map((kid) => isolate.find(kid));
    await world.scope.advance(2_000);
    latch.open({ status: 200, body: { keys: [a.jwk, b.jwk] } });
    expect(await Promise.all(waiting)).toEqual(["origin", "invalid_signature", "origin"]);
    expect(sinceWarm()).toEqual([0]);
  });

  it("holds up nobody whose key is known", async () => {
    world.onFetch = () => createLatch<JwksAnswer>().promise;
    const waiting = isolate.find("x");
    expect(await isolate.find("a")).toBe("memory");
    await world.scope.advance(8_000);
    await waiting;
  });

  it("is 503, not 401, for those who waited in vain because its request was dropped", async () => {
    world.onFetch = () => createLatch<JwksAnswer>().promise;
    const first = isolate.find("x");
    await world.scope.advance(7_000);
    const second = isolate.find("y");
    await world.scope.advance(1_000);
    expect(await Promise.all([first, second])).toEqual(["jwks_unavailable", "jwks_unavailable"]);
    await world.scope.advance(1_000);
    expect(await isolate.find("z")).toBe("jwks_unavailable");
    expect(sinceWarm()).toEqual([0]);
    world.onFetch = undefined;
    world.keys = [a.jwk, b.jwk];
    await world.scope.advance(1_000);
    expect(await isolate.find("b")).toBe("origin");
    expect(sinceWarm()).toEqual([0, 10_000]);
  });
});

describe("a key that was withdrawn", () => {
  it("verifies nothing from the fetch on that no longer holds it", async () => {
    expect(await isolate.find("a")).toBe("memory");
    world.keys = [b.jwk];
    expect(await isolate.find("b")).toBe("origin");
    expect(await isolate.find("a")).toBe("invalid_signature");
  });

  it("does not come back with a stored set that is older than memory's", async () => {
    world.keys = [b.jwk];
    await isolate.find("b");
    world.cache.entries.set(ISSUER.issuer, world.document([a.jwk], START_MS + 59_999));
    world.kv.entries.set(ISSUER.issuer, world.document([a.jwk], START_MS + 60_000));
    world.onFetch = unreachable;
    await world.scope.advance(600_000);
    expect(await isolate.find("b")).toBe("memory");
    await world.scope.settled();
    expect(await isolate.find("a")).toBe("jwks_unavailable");
    expect(await isolate.find("b")).toBe("memory");
  });

  it("keeps the CryptoKey of a key that stays, so that tokens seen before stay known", async () => {
    const before = isolate.jwks.find(ISSUER, "a", world.sources, world.scope);
    world.keys = [b.jwk, { ...a.jwk }];
    await isolate.find("b");
    const after = isolate.jwks.find(ISSUER, "a", world.sources, world.scope);
    expect(before).toHaveProperty("key");
    expect("key" in after && "key" in before && after.key === before.key).toBe(true);
  });

  it("is another CryptoKey where the kid stays and its numbers change", async () => {
    const before = isolate.jwks.find(ISSUER, "a", world.sources, world.scope);
    world.keys = [b.jwk, { ...b.jwk, kid: "a" }];
    await isolate.find("b");
    const after = isolate.jwks.find(ISSUER, "a", world.sources, world.scope);
    expect("key" in after && "key" in before && after.key !== before.key).toBe(true);
  });
});
