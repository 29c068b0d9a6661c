import { afterEach, describe, expect, it, vi } from "vitest";
import {
  editedHeaders,
  type ForwardingFacts,
  requestHeadBytes,
  requestHeadFits,
  upstreamHeaders,
} from "../../src/core/http/upstream-headers.ts";
import type { Scope } from "../../src/core/scope.ts";
import { type AllowListAnswer, allowsTenant, createAllowLists } from "../../src/core/tenant/allow-list.ts";
import { decodeToken } from "../../src/core/token/bearer.ts";
import { segment } from "../support/forge.ts";

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

describe("what is remembered", () => {
  const FACTS: ForwardingFacts = {
    requestId: "request-0001",
    clientIp: undefined,
    scheme: "https",
    host: "api.example.com",
    originSecret: undefined,
    forwardAuthorization: true,
    keepTenantHeader: false,
  };

  it("is each token's own header, also after a flood of invented ones", () => {
    const decodedKid = (kid: string): unknown => {
      const decoded = decodeToken(`${segment({ kid, alg: "RS256" })}.${segment({})}.AAAA`);
      return "code" in decoded ? decoded.code : decoded.unverifiedHeader["kid"];
    };
    for (let round = 0; round < 2; round += 1)
      for (let index = 0; index < 100; index += 1) expect(decodedKid(`kid-${index}`)).toBe(`kid-${index}`);
  });

  it("is no header's fate on another route, nor anything after a flood of invented names", () => {
    const sent = (headers: HeadersInit, facts: ForwardingFacts): string[] =>
      editedHeaders(new Headers(headers), upstreamHeaders(new Headers(headers), undefined, facts)).map(
        ([name]) => name,
      );
    const told = { "x-tenant-id": "acme", authorization: "Bearer x" };
    for (let round = 0; round < 2; round += 1) {
      expect(sent(told, FACTS)).not.toContain("x-tenant-id");
      expect(sent(told, { ...FACTS, keepTenantHeader: true })).toContain("x-tenant-id");
      expect(sent(told, FACTS)).toContain("authorization");
      expect(sent(told, { ...FACTS, forwardAuthorization: false })).not.toContain("authorization");
      for (let index = 0; index < 1_000; index += 1) {
        const names = sent(
          { [`x-${index}`]: "1", [`x-auth-${index}`]: "1", [`x_auth_${index}`]: "1" },
          FACTS,
        );
        expect(names).toContain(`x-${index}`);
        expect(names.filter((name) => /^x[-_]auth/.test(name))).toEqual([]);
      }
    }
  });

  it.each(["a", "é", "€", "𝄞"])("fits exactly up to the limit in bytes, of %s too", (character) => {
    for (let length = 0; length < 40; length += 1) {
      const client = new Headers();
      const headers = { remove: [], set: [["x-name", character.repeat(length)]] as const, passingChars: 0 };
      const bytes = requestHeadBytes("GET", "/a", "origin.example", headers.set);
      for (const limit of [bytes - 1, bytes, bytes + 1])
        expect(requestHeadFits("GET", "/a", "origin.example", client, headers, limit)).toBe(bytes <= limit);
    }
  });
});
