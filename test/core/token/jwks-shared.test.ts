import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { JwksAnswer } from "../../../src/core/token/jwks.ts";
import { createLatch } from "../../support/fake-scope.ts";
import { createSigningKey, type SigningKey } from "../../support/tokens.ts";
import { createJwksWorld, ISSUER, type Isolate, type JwksWorld, unreachable } from "./jwks-world.ts";

let a: SigningKey;
let world: JwksWorld;
let isolate: Isolate;

beforeAll(async () => {
  a = await createSigningKey("a");
});

beforeEach(() => {
  world = createJwksWorld([a.jwk]);
  isolate = world.isolate();
});

const many = (count: number, kid = "a"): Promise<string>[] =>
  Array.from({ length: count }, () => isolate.find(kid));

describe("concurrent cold requests", () => {
  it("are 50, and share one look into each store and one fetch", async () => {
    expect(new Set(await Promise.all(many(50)))).toEqual(new Set(["origin"]));
    expect(world.asked).toHaveLength(1);
    expect(world.cache.gets).toHaveLength(1);
    expect(world.kv.gets).toHaveLength(1);
    await world.scope.settled();
    expect([world.cache.puts.length, world.kv.puts.length]).toEqual([1, 1]);
  });

  it("share one fetch also when they come while it is under way", async () => {
    const latch = createLatch<JwksAnswer>();
    world.onFetch = () => latch.promise;
    const early = many(10);
    await world.scope.advance(1_000);
    const late = many(10);
    latch.open({ status: 200, body: { keys: [a.jwk] } });
    expect(new Set(await Promise.all([...early, ...late]))).toEqual(new Set(["origin"]));
    expect(world.asked).toEqual([0]);
  });

  it("share one failure, each with its own 503", async () => {
    world.onFetch = unreachable;
    expect(await Promise.all(many(20))).toEqual(new Array(20).fill("jwks_unavailable"));
    expect(world.asked).toEqual([0]);
    expect(world.reported()).toEqual(["jwks_fetch_failed"]);
  });

  it("wait for one another within one issuer only", async () => {
    const other = { ...ISSUER, issuer: "https://cognito.example/us-east-2_B" };
    const latch = createLatch<JwksAnswer>();
    world.onFetch = () => latch.promise;
    const waiting = isolate.find("a");
    await world.scope.idle();
    world.onFetch = undefined;
    expect(await isolate.find("a", other)).toBe("origin");
    latch.open({ status: 200, body: { keys: [a.jwk] } });
    expect(await waiting).toBe("origin");
  });

  it("go on behind their requests: the work is handed to the first one's defer", async () => {
    const latch = createLatch<JwksAnswer>();
    world.onFetch = () => latch.promise;
    void isolate.find("a"); // the client goes away
    await world.scope.idle();
    latch.open({ status: 200, body: { keys: [a.jwk] } });
    await world.scope.settled();
    expect(await isolate.find("a")).toBe("memory");
  });
});

describe("waiters of a request that the runtime dropped in the middle of its fetch", () => {
  beforeEach(() => {
    world.onFetch = () => createLatch<JwksAnswer>().promise;
  });

  it("get 503 when the shared work is 8 seconds old, whenever they came", async () => {
    const answers: string[] = [];
    void isolate.find("a").then((answer) => answers.push(answer));
    await world.scope.advance(7_900);
    void isolate.find("a").then((answer) => answers.push(answer));
    await world.scope.advance(99);
    expect(answers).toEqual([]);
    await world.scope.advance(1);
    expect(answers).toEqual(["jwks_unavailable", "jwks_unavailable"]);
  });

  it("leave 503 at once until 10 seconds after the question, and then a new one", async () => {
    void isolate.find("a");
    await world.scope.advance(8_000);
    world.onFetch = undefined;
    expect(await isolate.find("a")).toBe("jwks_unavailable");
    await world.scope.advance(1_999);
    expect(await isolate.find("a")).toBe("jwks_unavailable");
    expect(world.asked).toEqual([0]);
    await world.scope.advance(1);
    expect(await isolate.find("a")).toBe("origin");
    expect(world.asked).toEqual([0, 10_000]);
  });

  it("do not wait longer because the clock was set back", async () => {
    void isolate.find("a");
    await world.scope.advance(-3_600_000);
    world.onFetch = undefined;
    expect(await isolate.find("a")).toBe("origin");
  });
});

describe("waiters of a request that the runtime dropped while it read a store", () => {
  it("get 503 after 8 seconds, and the next request starts anew at once", async () => {
    world.kv.onGet = () => createLatch().promise;
    const waiting = many(3);
    await world.scope.advance(7_999);
    world.kv.onGet = undefined;
    const late = isolate.find("a");
    await world.scope.advance(1);
    expect(await Promise.all([...waiting, late])).toEqual(new Array(4).fill("jwks_unavailable"));
    expect(world.asked).toEqual([]);
    expect(await isolate.find("a")).toBe("origin");
  });

  it("keep their stale set, and its refresh starts anew after 8 seconds", async () => {
    await isolate.find("a");
    await world.scope.advance(600_000);
    world.kv.onGet = () => createLatch().promise;
    expect(await isolate.find("a")).toBe("memory");
    await world.scope.advance(7_999);
    world.kv.onGet = undefined;
    expect(await isolate.find("a")).toBe("memory");
    await world.scope.idle();
    expect(world.asked).toEqual([0]);
    await world.scope.advance(1);
    expect(await isolate.find("a")).toBe("memory");
    await world.scope.idle();
    expect(world.asked).toEqual([0, 608_000]);
  });
});
