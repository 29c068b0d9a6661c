import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Issuer } from "../../../src/core/config.ts";
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

const HOUR = 3_600_000;
const KEY = ISSUER.issuer;

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

async function warm(form: Issuer["form"]): Promise<void> {
  await isolate.jwks.warm({ ...ISSUER, form }, world.sources, world.scope);
  await world.scope.settled();
}

describe("the cron", () => {
  it("fetches an issuer that the configuration names, entry or not, and writes both stores", async () => {
    await warm("explicit");
    expect(world.asked).toEqual([0]);
    expect(world.kv.entries.get(KEY)).toEqual(world.document([a.jwk], START_MS));
    expect(world.cache.entries.get(KEY)).toEqual(world.document([a.jwk], START_MS));
    expect(await isolate.find("a")).toBe("memory");
  });

  for (const form of ["original", "updated"] as const) {
    it(`leaves the ${form} form alone that has no entry in KV`, async () => {
      world.cache.entries.set(KEY, world.document([a.jwk], START_MS));
      await warm(form);
      expect(world.asked).toEqual([]);
      expect(world.kv.puts).toEqual([]);
    });

    it(`refreshes the ${form} form that has an entry in KV, fresh as it may be`, async () => {
      world.kv.entries.set(KEY, world.document([a.jwk], START_MS - 1));
      world.keys = [b.jwk];
      await warm(form);
      expect(world.asked).toEqual([0]);
      expect(world.kv.entries.get(KEY)).toEqual(world.document([b.jwk], START_MS));
    });

    it(`refreshes the ${form} form whose entry is corrupt, and mends it`, async () => {
      world.kv.entries.set(KEY, "garbage");
      await warm(form);
      expect(world.reported()).toEqual(["jwks_entry_corrupt kv"]);
      expect(world.kv.entries.get(KEY)).toEqual(world.document([a.jwk], START_MS));
    });

    it(`leaves the ${form} form alone while KV cannot be read`, async () => {
      world.kv.onGet = () => Promise.reject(new Error("down"));
      await warm(form);
      expect(world.asked).toEqual([]);
      expect(world.reported()).toEqual(["jwks_store_failed kv"]);
    });
  }

  it("fetches a named issuer also while KV cannot be read", async () => {
    world.kv.onGet = () => Promise.reject(new Error("down"));
    await warm("explicit");
    expect(world.asked).toEqual([0]);
  });

  it("asks at every run, also within 10 seconds of the last", async () => {
    await warm("explicit");
    await warm("explicit");
    expect(world.asked).toEqual([0, 0]);
  });

  it("asks nothing within 10 seconds of a failure, of its own or of a request", async () => {
    world.onFetch = unreachable;
    await isolate.find("a");
    await warm("explicit");
    await world.scope.advance(9_999);
    await warm("explicit");
    expect(world.asked).toEqual([0]);
    await world.scope.advance(1);
    await warm("explicit");
    expect(world.asked).toEqual([0, 10_000]);
    await warm("explicit");
    expect(world.asked).toEqual([0, 10_000]);
  });

  it("takes over what KV has got meanwhile also within 10 seconds of a failure", async () => {
    world.onFetch = unreachable;
    await isolate.find("a");
    world.kv.entries.set(KEY, world.document([a.jwk], START_MS));
    await warm("explicit");
    expect(await isolate.find("a")).toBe("memory");
  });

  it("leaves KV as it is when Cognito fails", async () => {
    const document = world.document([a.jwk], START_MS - HOUR);
    world.kv.entries.set(KEY, document);
    world.onFetch = unreachable;
    await warm("original");
    expect(world.kv.entries.get(KEY)).toEqual(document);
    expect(world.reported()).toEqual(["jwks_fetch_failed"]);
    expect(await isolate.find("a")).toBe("memory");
  });

  it("takes a 403 of the second form for an outage once KV holds a set, of whatever age", async () => {
    world.kv.entries.set(KEY, world.document([a.jwk], START_MS - 48 * HOUR));
    world.onFetch = answering(403);
    await warm("updated");
    expect(world.reported()).toEqual(["jwks_fetch_failed"]);
  });

  it("joins a question that a request has under way", async () => {
    const latch = createLatch<{ status: number; body: unknown }>();
    world.onFetch = () => latch.promise;
    const found = isolate.find("a");
    await world.scope.idle();
    const warmed = warm("explicit");
    await world.scope.idle();
    latch.open({ status: 200, body: { keys: [a.jwk] } });
    await warmed;
    expect(await found).toBe("origin");
    expect(world.asked).toEqual([0]);
  });
});
