import { describe, expect, test } from "vitest";
import type { KvNamespace } from "../../src/local/gateway.ts";
import { emptyNamespace, seedAllowLists } from "../../src/local/kv-seed.ts";

const SEED = { one: { tenants: ["acme"] }, two: { tenants: ["*"], role: "viewer" } };

/** A namespace that lists two keys at a time. */
function createNamespace(content: Map<string, string>): KvNamespace {
  return {
    get: async (key) => content.get(key) ?? null,
    put: async (key, value) => void content.set(key, value),
    delete: async (key) => void content.delete(key),
    async list() {
      const keys = [...content.keys()].map((name) => ({ name }));
      return { keys: keys.slice(0, 2), list_complete: keys.length <= 2 };
    },
  };
}

describe("kv-seed", () => {
  test("writes every document into an empty namespace", async () => {
    const content = new Map<string, string>();
    expect(await seedAllowLists(createNamespace(content), SEED)).toEqual({
      written: ["one", "two"],
      changed: [],
    });
    expect(JSON.parse(content.get("two") ?? "")).toEqual(SEED.two);
  });

  test("writes nothing the second time", async () => {
    const namespace = createNamespace(new Map());
    await seedAllowLists(namespace, SEED);
    expect(await seedAllowLists(namespace, SEED)).toEqual({ written: [], changed: [] });
  });

  test("keeps what an operator has changed, and says so", async () => {
    const own = '{"tenants":["acme","initech"]}';
    const content = new Map([["one", own]]);
    expect(await seedAllowLists(createNamespace(content), SEED)).toEqual({
      written: ["two"],
      changed: ["one"],
    });
    expect(content.get("one")).toBe(own);
  });

  test("empties a namespace of several pages", async () => {
    const content = new Map(["a", "b", "c", "d", "e"].map((key) => [key, "{}"]));
    await emptyNamespace(createNamespace(content));
    expect(content.size).toBe(0);
  });
});
