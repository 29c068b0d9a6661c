import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Issuer } from "../../../src/core/config.ts";
import { createSigningKey, type SigningKey } from "../../support/tokens.ts";
import { answering, createJwksWorld, type JwksWorld, START_MS, unreachable } from "./jwks-world.ts";

const HOUR = 3_600_000;
const UPDATED: Issuer = {
  issuer: "https://issuer-cognito-idp.us-east-2.amazonaws.com/us-east-2_A",
  jwksUrl: "https://issuer-cognito-idp.us-east-2.amazonaws.com/us-east-2_A/.well-known/jwks.json",
  form: "updated",
};

let a: SigningKey;
let world: JwksWorld;

beforeAll(async () => {
  a = await createSigningKey("a");
});

beforeEach(() => {
  world = createJwksWorld([a.jwk]);
});

describe("the second issuer form, where it has never served a set", () => {
  for (const status of [403, 404])
    it(`is not used by the pool when it answers ${status}: invalid_signature, and nothing is reported`, async () => {
      world.onFetch = answering(status);
      const isolate = world.isolate();
      expect(await isolate.find("a", UPDATED)).toBe("invalid_signature");
      await world.scope.advance(9_999);
      expect(await isolate.find("a", UPDATED)).toBe("invalid_signature");
      expect(world.asked).toEqual([0]);
      expect(world.scope.notices).toEqual([]);
      expect(await isolate.jwks.health(UPDATED, world.sources, world.scope)).toEqual({
        keys: 0,
        fetchedAtMs: undefined,
        lastFetchFailed: false,
      });
    });

  for (const status of [400, 401, 402, 405, 429, 500, 503])
    it(`is an outage when it answers ${status}`, async () => {
      world.onFetch = answering(status);
      expect(await world.isolate().find("a", UPDATED)).toBe("jwks_unavailable");
      expect(world.reported()).toEqual(["jwks_fetch_failed"]);
    });

  it("is an outage when it cannot be reached", async () => {
    world.onFetch = unreachable;
    expect(await world.isolate().find("a", UPDATED)).toBe("jwks_unavailable");
  });

  it("is asked again after 10 seconds, and serves from the day on which the pool uses it", async () => {
    world.onFetch = answering(403);
    const isolate = world.isolate();
    await isolate.find("a", UPDATED);
    world.onFetch = undefined;
    await world.scope.advance(10_000);
    expect(await isolate.find("a", UPDATED)).toBe("origin");
    expect(world.asked).toEqual([0, 10_000]);
  });

  it("is unused again after an outage in between", async () => {
    world.onFetch = unreachable;
    const isolate = world.isolate();
    await isolate.find("a", UPDATED);
    world.onFetch = answering(404);
    await world.scope.advance(10_000);
    expect(await isolate.find("a", UPDATED)).toBe("invalid_signature");
  });

  it("is no other form: 403 and 404 of the first form are an outage", async () => {
    for (const status of [403, 404]) {
      world.onFetch = answering(status);
      expect(await world.isolate().find("a", { ...UPDATED, form: "original" })).toBe("jwks_unavailable");
      expect(await world.isolate().find("a", { ...UPDATED, form: "explicit" })).toBe("jwks_unavailable");
    }
  });
});

describe("the second issuer form, where it once served a set", () => {
  it("is an outage for an unknown kid, and its known keys go on", async () => {
    const isolate = world.isolate();
    await isolate.find("a", UPDATED);
    world.onFetch = answering(403);
    await world.scope.advance(10_000);
    expect(await isolate.find("x", UPDATED)).toBe("jwks_unavailable");
    expect(await isolate.find("a", UPDATED)).toBe("memory");
    expect(world.reported()).toEqual(["jwks_fetch_failed"]);
  });

  it("is an outage, and no 401, when memory's set has become too old", async () => {
    const isolate = world.isolate();
    await isolate.find("a", UPDATED);
    await world.scope.settled();
    world.onFetch = answering(404);
    await world.scope.advance(25 * HOUR);
    expect(await isolate.find("a", UPDATED)).toBe("jwks_unavailable");
  });

  for (const store of ["cache", "kv"] as const)
    it(`is an outage for a cold isolate that finds a set in ${store}, of whatever age`, async () => {
      world[store].entries.set(UPDATED.issuer, world.document([a.jwk], START_MS - 48 * HOUR, UPDATED.issuer));
      world.onFetch = answering(403);
      expect(await world.isolate().find("a", UPDATED)).toBe("jwks_unavailable");
    });
});

describe("the second issuer form, where a store cannot say that there has never been a set", () => {
  for (const store of ["cache", "kv"] as const)
    for (const [what, onGet] of [
      ["cannot be read", unreachable],
      ["holds a corrupt entry", async () => "{broken"],
    ] as const)
      for (const status of [403, 404])
        it(`is an outage when it answers ${status} and ${store} ${what}`, async () => {
          world[store].onGet = onGet;
          world.onFetch = answering(status);
          const isolate = world.isolate();
          expect(await isolate.find("a", UPDATED)).toBe("jwks_unavailable");
          expect(world.reported()).toContain("jwks_fetch_failed");
          world[store].onGet = undefined;
          await world.scope.advance(9_999);
          expect(await isolate.find("a", UPDATED)).toBe("jwks_unavailable");
          await world.scope.advance(1);
          expect(await isolate.find("a", UPDATED)).toBe("invalid_signature"); // both have said so now
        });

  it("is an outage again when a store that said so before cannot be read", async () => {
    world.onFetch = answering(403);
    const isolate = world.isolate();
    expect(await isolate.find("a", UPDATED)).toBe("invalid_signature");
    world.kv.onGet = unreachable;
    await world.scope.advance(10_000);
    expect(await isolate.find("a", UPDATED)).toBe("jwks_unavailable");
  });

  it("is an outage for the cron that finds a corrupt entry, also where requests found none before", async () => {
    world.onFetch = answering(403);
    const isolate = world.isolate();
    await isolate.find("a", UPDATED);
    await world.scope.advance(10_000);
    world.kv.entries.set(UPDATED.issuer, "garbage");
    await isolate.jwks.warm(UPDATED, world.sources, world.scope);
    expect(world.reported()).toEqual(["jwks_entry_corrupt kv", "jwks_fetch_failed"]);
    expect(await isolate.find("a", UPDATED)).toBe("jwks_unavailable");
  });
});
