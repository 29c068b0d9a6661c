import { afterEach, describe, expect, it, vi } from "vitest";
import type { Scope } from "../../src/core/scope.ts";
import { type AllowListAnswer, allowsTenant, createAllowLists } from "../../src/core/tenant/allow-list.ts";

const TENANTS = 100_000;
const LIST = JSON.stringify({ tenants: Array.from({ length: TENANTS }, (_, index) => `tenant-${index}`) });

afterEach(() => vi.restoreAllMocks());

function createWorld() {
  let nowMs = 1_800_000_000_000;
  const deferred: Promise<unknown>[] = [];
  const scope: Scope = {
    now: () => nowMs,
    defer: (work) => deferred.push(work),
    within: (work) => work,
    report: () => undefined,
  };
  const read = vi.fn(async () => LIST);
  const lists = createAllowLists();
  return {
    read,
    find: () => lists.find("machine-1", read, scope),
    advance: (ms: number) => {
      nowMs += ms;
    },
    settled: () => Promise.all(deferred.splice(0)),
  };
}

const allows = (answer: AllowListAnswer, tenant: string): boolean =>
  typeof answer === "object" && allowsTenant(answer, tenant);

describe("a list of 100,000 tenants", () => {
  it("is read and parsed once for a thousand requests, which do not wait", async () => {
    const world = createWorld();
    const parse = vi.spyOn(JSON, "parse");
    await world.find();
    for (let request = 0; request < 1_000; request += 1) {
      const answer = world.find();
      expect(answer).not.toBeInstanceOf(Promise);
      expect(allows(answer as AllowListAnswer, `tenant-${request * 100}`)).toBe(true);
    }
    expect(world.read).toHaveBeenCalledTimes(1);
    expect(parse).toHaveBeenCalledTimes(1);
  });

  it("is refreshed ahead of its end, once, while requests go on with the copy", async () => {
    const world = createWorld();
    await world.find();
    const parse = vi.spyOn(JSON, "parse");
    world.advance(20_000);
    for (let request = 0; request < 100; request += 1) expect(world.find()).not.toBeInstanceOf(Promise);
    await world.settled();
    expect(world.read).toHaveBeenCalledTimes(2);
    expect(parse).toHaveBeenCalledTimes(1);
    world.advance(15_000); // 35 s after the first read: without the refresh this one would have to wait
    expect(world.find()).not.toBeInstanceOf(Promise);
  });
});
