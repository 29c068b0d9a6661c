import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { adopt, type IssuerKeys } from "../../../src/core/token/issuer-keys.ts";
import { importKeySet } from "../../../src/core/token/key-set.ts";
import { createSigningKey, type SigningKey } from "../../support/tokens.ts";
import { createJwksWorld, ISSUER, type JwksWorld, START_MS, unreachable } from "./jwks-world.ts";

const MINUTE = 60_000;
const KEY = ISSUER.issuer;

let a: SigningKey;
let b: SigningKey;
let world: JwksWorld;

beforeAll(async () => {
  [a, b] = await Promise.all([createSigningKey("a"), createSigningKey("b")]);
});

beforeEach(() => {
  world = createJwksWorld([a.jwk]);
});

/** Finds a key in a new isolate and lets the work end that goes on behind it. */
async function findCold(kid = "a"): Promise<string> {
  const found = await world.isolate().find(kid);
  await world.scope.settled();
  return found;
}

const stored = (store: "cache" | "kv"): unknown => world[store].entries.get(KEY);

describe("the layers", () => {
  it("are asked from the nearest on: Cache API, KV, Cognito", async () => {
    const order: string[] = [];
    world.cache.onGet = async () => void order.push("cache");
    world.kv.onGet = async () => void order.push("kv");
    world.onFetch = async () => {
      order.push("origin");
      return { status: 200, body: { keys: [a.jwk] } };
    };
    expect(await findCold()).toBe("origin");
    expect(order).toEqual(["cache", "kv", "origin"]);
  });

  it("take nothing from KV while the Cache API has a fresh set", async () => {
    world.cache.entries.set(KEY, world.document([a.jwk], START_MS - 10 * MINUTE + 1));
    expect(await findCold()).toBe("cache");
    expect(world.kv.gets).toEqual([]);
    expect(world.asked).toEqual([]);
    expect(world.kv.puts.concat(world.cache.puts)).toEqual([]);
  });

  it("look in KV beyond a set of the Cache API that is 10 minutes old, and take the newer", async () => {
    world.cache.entries.set(KEY, world.document([a.jwk], START_MS - 10 * MINUTE));
    world.kv.entries.set(KEY, world.document([b.jwk], START_MS - 1));
    expect(await findCold("b")).toBe("kv");
    expect(world.asked).toEqual([]);
  });

  it("keep the Cache API's set where KV's is no newer", async () => {
    world.cache.entries.set(KEY, world.document([a.jwk], START_MS - 11 * MINUTE));
    world.kv.entries.set(KEY, world.document([b.jwk], START_MS - 11 * MINUTE));
    world.onFetch = unreachable;
    const isolate = world.isolate();
    expect(await isolate.find("a")).toBe("cache");
    await world.scope.settled();
    expect(world.cache.puts).toEqual([]);
  });

  it("serve KV's fresh set to a second isolate without a question to Cognito, and fill the Cache API", async () => {
    await findCold();
    world.cache.entries.clear();
    world.cache.puts.length = 0;
    expect(await findCold()).toBe("kv");
    expect(world.asked).toEqual([0]);
    expect(world.cache.puts).toEqual([KEY]);
    expect(stored("cache")).toEqual(stored("kv"));
    expect(await findCold()).toBe("cache");
  });

  it("serve a stale stored set at once, and refresh behind the request", async () => {
    world.kv.entries.set(KEY, world.document([a.jwk], START_MS - 10 * MINUTE));
    world.keys = [a.jwk, b.jwk];
    expect(await findCold()).toBe("kv");
    expect(world.asked).toEqual([0]);
    expect(stored("kv")).toEqual(world.document([a.jwk, b.jwk], START_MS));
  });

  it("keep the issuers apart", async () => {
    const other = {
      ...ISSUER,
      issuer: "https://cognito.example/us-east-2_B",
      jwksUrl: "https://b.example/keys",
    };
    await findCold();
    expect(await world.isolate().find("a", other)).toBe("origin");
    expect(world.urls).toEqual([ISSUER.jwksUrl, "https://b.example/keys"]);
    expect(world.cache.gets).toEqual([KEY, other.issuer]);
    expect(world.kv.gets).toEqual([KEY, other.issuer]);
  });
});

describe("a fetched set", () => {
  it("replaces the entries of Cache API and KV, with the moment of its fetch and public members only", async () => {
    world.keys = [{ ...a.jwk, d: "private", x5c: ["certificate"], extra: 1 }];
    await world.scope.advance(1_234);
    await findCold();
    const document = {
      issuer: KEY,
      fetched_at_ms: START_MS + 1_234,
      keys: [{ kid: "a", n: a.jwk.n, e: "AQAB" }],
    };
    expect(stored("cache")).toEqual(document);
    expect(stored("kv")).toEqual(document);
  });

  it("takes a withdrawn key out of both stores, so that no cold isolate accepts it", async () => {
    const isolate = world.isolate();
    await isolate.find("a");
    await world.scope.advance(MINUTE);
    world.keys = [b.jwk];
    await isolate.find("b");
    await world.scope.settled();
    expect(await findCold("a")).toBe("invalid_signature");
    world.cache.entries.clear();
    expect(await findCold("a")).toBe("invalid_signature");
  });

  it("stays in place when an older stored set was being imported meanwhile", async () => {
    const keys: IssuerKeys = {
      keySet: undefined,
      askedAtMs: undefined,
      unknownAskedAtMs: undefined,
      lastOutcome: "ok",
      failedAtMs: undefined,
      neverStored: true,
    };
    const old = { issuer: KEY, fetched_at_ms: START_MS, keys: [{ kid: "a", n: a.jwk.n ?? "", e: "AQAB" }] };
    const fetched = await importKeySet(
      { issuer: KEY, fetched_at_ms: START_MS + 1, keys: [{ kid: "b", n: b.jwk.n ?? "", e: "AQAB" }] },
      undefined,
    );
    const adopting = adopt(keys, old);
    keys.keySet = fetched;
    expect(await adopting).toBe(false);
    expect([...(keys.keySet?.keys.keys() ?? [])]).toEqual(["b"]);
  });

  it("serves although both stores refuse it, and each refusal is reported", async () => {
    world.cache.refusesWrites = true;
    world.kv.refusesWrites = true;
    const isolate = world.isolate();
    expect(await isolate.find("a")).toBe("origin");
    await world.scope.settled();
    expect(await isolate.find("a")).toBe("memory");
    expect(world.scope.notices).toEqual([
      { event: "jwks_store_failed", store: "cache", operation: "put", issuer: KEY },
      { event: "jwks_store_failed", store: "kv", operation: "put", issuer: KEY },
    ]);
  });
});

describe("a store that fails", () => {
  it("is reported and passed over", async () => {
    world.cache.onGet = () => Promise.reject(new Error("down"));
    world.kv.onGet = () => Promise.reject(new Error("down"));
    expect(await findCold()).toBe("origin");
    expect(world.scope.notices).toEqual([
      { event: "jwks_store_failed", store: "cache", operation: "get", issuer: KEY },
      { event: "jwks_store_failed", store: "kv", operation: "get", issuer: KEY },
    ]);
  });

  it("leaves 503 where Cognito fails too", async () => {
    world.kv.onGet = () => Promise.reject(new Error("down"));
    world.onFetch = unreachable;
    expect(await findCold()).toBe("jwks_unavailable");
  });
});

describe("an entry that is no key set of this issuer", () => {
  const WRONG: readonly (readonly [string, (document: Record<string, unknown>) => unknown])[] = [
    ["text", () => "garbage"],
    ["an empty text", () => ""],
    ["null", () => null],
    ["a number", () => 0],
    ["false", () => false],
    ["an array", (document) => [document]],
    ["a raw JWKS", () => ({ keys: [a.jwk] })],
    ["without issuer", ({ issuer: _, ...rest }) => rest],
    ["without time", ({ fetched_at_ms: _, ...rest }) => rest],
    ["without keys", ({ keys: _, ...rest }) => rest],
    ["of another issuer", (document) => ({ ...document, issuer: `${KEY}/` })],
    ["with a time in text", (document) => ({ ...document, fetched_at_ms: String(START_MS) })],
    ["with an infinite time", (document) => ({ ...document, fetched_at_ms: Number.NEGATIVE_INFINITY })],
    ["5,001 ms in the future", (document) => ({ ...document, fetched_at_ms: START_MS + 5_001 })],
    ["with no keys", (document) => ({ ...document, keys: [] })],
    ["with keys that are no array", (document) => ({ ...document, keys: { a: 1 } })],
    ["with a key that is none", (document) => ({ ...document, keys: [a.jwk, "key"] })],
    ["with a key without modulus", (document) => ({ ...document, keys: [{ kid: "a", e: "AQAB" }] })],
    ["with a key without kid", (document) => ({ ...document, keys: [{ ...a.jwk, kid: "" }] })],
    ["with an even exponent", (document) => ({ ...document, keys: [{ ...a.jwk, e: "AQAA" }] })],
    ["with a short modulus", (document) => ({ ...document, keys: [{ ...a.jwk, n: "AQAB" }] })],
    ["with one kid twice", (document) => ({ ...document, keys: [a.jwk, { ...b.jwk, kid: "a" }] })],
  ];
  for (const store of ["cache", "kv"] as const)
    for (const [name, spoil] of WRONG)
      it(`is skipped, reported and overwritten: ${name}, in ${store}`, async () => {
        world[store].entries.set(KEY, spoil(world.document([a.jwk], START_MS)));
        expect(await findCold()).toBe("origin");
        expect(world.scope.notices).toEqual([{ event: "jwks_entry_corrupt", store, issuer: KEY }]);
        expect(stored(store)).toEqual(world.document([a.jwk], START_MS));
      });

  it("is none at 5 seconds in the future, by which another machine may be ahead", async () => {
    world.cache.entries.set(KEY, world.document([a.jwk], START_MS + 5_000));
    expect(await findCold()).toBe("cache");
    expect(world.scope.notices).toEqual([]);
    expect(world.asked).toEqual([]);
  });

  it("is none where there is nothing", async () => {
    expect(await findCold()).toBe("origin");
    expect(world.scope.notices).toEqual([]);
  });

  it("in the Cache API is overwritten from KV", async () => {
    world.cache.entries.set(KEY, "garbage");
    world.kv.entries.set(KEY, world.document([a.jwk], START_MS));
    expect(await findCold()).toBe("kv");
    expect(world.asked).toEqual([]);
    expect(stored("cache")).toEqual(world.document([a.jwk], START_MS));
  });

  it("gives up its weak keys and keeps its good ones", async () => {
    world.kv.entries.set(KEY, {
      ...world.document([a.jwk], START_MS),
      keys: [a.jwk, { ...b.jwk, e: "AQ" }],
    });
    const isolate = world.isolate();
    world.onFetch = unreachable;
    expect(await isolate.find("a")).toBe("kv");
    expect(await isolate.find("b")).toBe("jwks_unavailable");
  });
});
