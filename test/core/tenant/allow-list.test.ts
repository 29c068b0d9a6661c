import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import {
  type AllowList,
  type AllowListAnswer,
  type AllowLists,
  allowsAny,
  allowsTenant,
  createAllowLists,
  parseAllowList,
} from "../../../src/core/tenant/allow-list.ts";
import { createFakeScope, type FakeScope } from "../../support/fake-scope.ts";

const list = (...tenants: string[]): AllowList => ({ tenants: new Set(tenants), role: undefined });

describe("parseAllowList", () => {
  for (const [text, expected] of [
    [
      '{"tenants":["acme","globex"],"role":"agent","disabled":false}',
      { ...list("acme", "globex"), role: "agent" },
    ],
    ['{"tenants":["acme"]}', list("acme")],
    ['{"tenants":[]}', list()],
    ['{"tenants":[],"role":"agent"}', { ...list(), role: "agent" }],
    ['["acme","globex"]', list("acme", "globex")],
    ['["acme","acme"]', list("acme")],
    ["[]", list()],
    ['["*"]', { tenants: "any", role: undefined }],
    ['{"tenants":["acme","*"],"role":"agent"}', { tenants: "any", role: "agent" }],
    ['["**","a*"]', list("**", "a*")],
    [' {\n"tenants": [ "acme" ] } ', list("acme")],
    ['{"tenants":["acme"],"disabled":true}', "none"],
    ['{"tenants":["*"],"role":"owner","disabled":true}', "none"],
    ['{"tenants":[],"disabled":true}', "none"],
  ] as const)
    it(`reads ${text}`, () => {
      expect(parseAllowList(text)).toEqual(expected);
    });

  for (const text of [
    "",
    " ",
    "acme",
    '"acme"',
    "null",
    "true",
    "7",
    "{}",
    "[[]]",
    "[1]",
    "[null]",
    '["acme",{}]',
    '["acme"',
    '{"tenants":"acme"}',
    '{"tenants":"*"}',
    '{"tenants":null}',
    '{"tenants":{"acme":true}}',
    '{"tenants":["acme",1]}',
    '{"tenants":["acme"],"role":""}',
    '{"tenants":["acme"],"role":null}',
    '{"tenants":["acme"],"role":["agent"]}',
    '{"tenants":["acme"],"disabled":"false"}',
    '{"tenants":["acme"],"disabled":0}',
    '{"tenants":["acme"],"disabled":null}',
    '{"tenants":["acme"],"roles":["agent"]}',
    '{"tenants":["acme"],"Disabled":true}',
    '{"Tenants":["acme"]}',
    '{"role":"agent"}',
    '{"disabled":true}',
    '{"tenants":1,"disabled":true}',
    '\ufeff["acme"]',
    '["acme"] ["globex"]',
  ])
    it(`takes ${JSON.stringify(text)} for malformed`, () => {
      expect(parseAllowList(text)).toBeUndefined();
    });

  it("never throws, whatever the text", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(["undefined", "string", "object"]).toContain(typeof parseAllowList(text));
      }),
      { numRuns: 300 },
    );
  });

  it("holds exactly the tenants that are listed", () => {
    const tenant = fc.oneof(fc.string(), fc.constantFrom("acme", "__proto__", "*"));
    fc.assert(
      fc.property(fc.array(tenant), fc.boolean(), (tenants, isBare) => {
        const expected = tenants.includes("*") ? "any" : new Set(tenants);
        const text = JSON.stringify(isBare ? tenants : { tenants });
        expect(parseAllowList(text)).toEqual({ tenants: expected, role: undefined });
      }),
      { numRuns: 300 },
    );
  });

  it("looks each of 100,000 tenants up in a set", () => {
    const tenants = Array.from({ length: 100_000 }, (_, index) => `tenant-${index}`);
    const parsed = parseAllowList(JSON.stringify({ tenants }));
    expect(parsed).toHaveProperty("tenants", new Set(tenants));
  });
});

describe("an allow-list", () => {
  it("lets its client act for its tenants and no other, spelled alike to the letter", () => {
    for (const [tenant, allowed] of [
      ["acme", true],
      ["globex", true],
      ["Acme", false],
      ["acm", false],
      ["acme ", false],
      ["*", false],
      ["", false],
    ] as const)
      expect(allowsTenant(list("acme", "globex"), tenant)).toBe(allowed);
    expect(allowsTenant({ tenants: "any", role: undefined }, "acme")).toBe(true);
    expect(allowsTenant(list(), "acme")).toBe(false);
  });

  it("lets its client in unless it is empty", () => {
    expect(allowsAny(list("acme"))).toBe(true);
    expect(allowsAny({ tenants: "any", role: undefined })).toBe(true);
    expect(allowsAny(list())).toBe(false);
  });
});

describe("createAllowLists", () => {
  let scope: FakeScope;
  let lists: AllowLists;
  let reads: string[];
  let text: string | null;

  beforeEach(() => {
    scope = createFakeScope(1_800_000_000_000);
    lists = createAllowLists();
    reads = [];
    text = '["acme"]';
  });

  const read = async (clientId: string): Promise<string | null> => {
    reads.push(clientId);
    return text;
  };
  const find = async (clientId: string): Promise<AllowListAnswer> => lists.find(clientId, read, scope);

  it("reads the list of the very client", async () => {
    expect(await find("machine-1")).toEqual(list("acme"));
    text = '["globex"]';
    expect(await find("machine-2")).toEqual(list("globex"));
    expect(await find("machine-1")).toEqual(list("acme"));
    expect(reads).toEqual(["machine-1", "machine-2"]);
  });

  it("answers none where there is no list, or a disabled one, and reports nothing", async () => {
    text = null;
    expect(await find("machine-1")).toBe("none");
    text = '{"tenants":["acme"],"disabled":true}';
    expect(await find("machine-2")).toBe("none");
    expect(scope.notices).toEqual([]);
  });

  it("answers unavailable for a malformed list, an empty value too, and names its client in the log", async () => {
    text = "";
    expect(await find("machine-1")).toBe("unavailable");
    expect(scope.notices).toEqual([{ event: "allowlist_malformed", client_id: "machine-1" }]);
  });

  it("never serves the good list that a malformed one has replaced", async () => {
    await find("machine-1");
    text = "{";
    await scope.advance(30_000);
    expect(await find("machine-1")).toBe("unavailable");
    await scope.advance(1);
    expect(await find("machine-1")).toBe("unavailable");
  });

  it("answers unavailable where the list cannot be read, and names its client in the log", async () => {
    const failing = (): Promise<never> => Promise.reject(new Error("down"));
    expect(await lists.find("machine-1", failing, scope)).toBe("unavailable");
    expect(scope.notices).toEqual([{ event: "allowlist_read_failed", client_id: "machine-1" }]);
  });

  it("answers without a promise from the isolate's copy, malformed or not", async () => {
    await find("machine-1");
    expect(lists.find("machine-1", read, scope)).toEqual(list("acme"));
    text = "{";
    await find("machine-2");
    expect(lists.find("machine-2", read, scope)).toBe("unavailable");
  });

  it("reads nothing for a client id that is no possible key of KV", async () => {
    for (const clientId of ["", ".", "..", "x".repeat(513), "é".repeat(257)])
      expect(await find(clientId)).toBe("none");
    expect(reads).toEqual([]);
    for (const clientId of ["...", "x".repeat(512), "é".repeat(256)])
      expect(await find(clientId)).toEqual(list("acme"));
    expect(reads).toHaveLength(3);
  });

  it("holds 10,000 clients: the one that was read longest ago goes first", async () => {
    for (let index = 0; index < 10_000; index += 1) await find(`machine-${index}`);
    expect(lists.find("machine-0", read, scope)).not.toBeInstanceOf(Promise);
    await find("one-more");
    expect(lists.find("machine-1", read, scope)).not.toBeInstanceOf(Promise);
    reads.length = 0;
    await find("machine-0");
    expect(reads).toEqual(["machine-0"]);
    await find("one-more");
    expect(reads).toEqual(["machine-0"]);
  });

  it("holds ten lists of 100,000 tenants, whatever else it has read", async () => {
    const long = JSON.stringify(Array.from({ length: 100_000 }, (_, index) => `tenant-${index}`));
    const readLong = async (clientId: string): Promise<string> => {
      reads.push(clientId);
      return long;
    };
    await lists.find("anywhere", async () => '["*"]', scope);
    await lists.find("nowhere", async () => null, scope);
    for (let index = 0; index < 9; index += 1) await lists.find(`machine-${index}`, readLong, scope);
    for (const clientId of ["anywhere", "nowhere"])
      expect(lists.find(clientId, read, scope)).not.toBeInstanceOf(Promise);
    await lists.find("machine-9", readLong, scope);
    expect(lists.find("machine-0", readLong, scope)).not.toBeInstanceOf(Promise);
    await find("a-short-one");
    expect(lists.find("machine-0", readLong, scope)).toBeInstanceOf(Promise);
    expect(lists.find("machine-2", readLong, scope)).not.toBeInstanceOf(Promise);
  });
});
