import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type FaultyGateway, startFaultyGateway } from "../support/faults.ts";
import { type KVNamespaceLike, startGateway } from "../support/gateway.ts";
import { type Claims, eventually, nowSeconds, type Stack, startStack } from "./stack.ts";

const SECOND = 1_000;

/** A KV of many keys, which takes a minute to fill for real. It has KV's limits: 1,000 keys a page, 100 a read. */
interface LargeNamespace {
  /** How many keys there are of each kind: `jti:many-0`, `jti:many-1`, … */
  readonly kinds: Readonly<Record<string, number>>;
  /** Milliseconds that a page takes. */
  readonly pageMs?: number;
  /** The same, by the clock alone: nobody waits for it. */
  readonly clockMs?: number;
  /** Default true: the document is in the metadata; false: in the value. */
  readonly described?: boolean;
  /** The listing of this kind fails. */
  readonly failing?: string;
}

const largeEntry = (large: LargeNamespace) => (policy: string) =>
  `
  import { createWorker } from "./src/index.ts";
  const worker = createWorker(${policy});
  const { kinds, pageMs = 0, clockMs = 0, described = true, failing } = ${JSON.stringify(large)};
  let aheadMs = 0;
  const realNow = Date.now;
  Date.now = () => realNow() + aheadMs;
  const tell = (event, details) => console.log(JSON.stringify({ event, ...details }));
  function* namesOf(prefix, start) {
    let index = 0;
    for (const [kind, count] of Object.entries(kinds)) {
      if (!(kind + ":").startsWith(prefix)) continue;
      for (let each = Math.max(0, start - index); each < count; each += 1) yield kind + ":many-" + each;
      index += count;
    }
  }
  const REVOCATIONS = {
    async get(names, options) {
      if (!Array.isArray(names) || names.length > 100) throw new Error("one read has 1 to 100 keys here");
      tell("read", { names: names.length, options });
      return new Map(names.map((name) => [name, "{}"]));
    },
    async list({ prefix = "", cursor } = {}) {
      tell("listed", { prefix });
      await new Promise((resolve) => setTimeout(resolve, pageMs));
      aheadMs += clockMs;
      if (failing !== undefined && prefix === failing + ":") throw new Error("KV LIST failed: 500");
      const start = Number(cursor ?? 0);
      const names = namesOf(prefix, start).take(1_001).toArray();
      const keys = names.slice(0, 1_000).map((name) => (described ? { name, metadata: {} } : { name }));
      if (names.length <= 1_000) return { keys, list_complete: true };
      return { keys, list_complete: false, cursor: String(start + 1_000) };
    },
  };
  let extended;
  export default {
    fetch(request, env, context) {
      context.waitUntil(new Promise((resolve) => setTimeout(resolve, 1_000))); // other work lives on behind it too
      return worker.fetch(request, (extended ??= { ...env, REVOCATIONS }), context);
    },
  };`;

const startLarge = (large: LargeNamespace): Promise<Stack> =>
  startStack(startGateway, { policy: { routes: [{ path: "/*" }] }, entry: largeEntry(large) });
const linesOf = ({ gateway }: Stack, event: string) => gateway.logs.filter((line) => line["event"] === event);
const exp = nowSeconds() + 86_400;
const iat = nowSeconds() - 600;

let stack: Stack<FaultyGateway>;
let revocations: KVNamespaceLike;
let kvKeys: string[];

beforeAll(async () => {
  stack = await startStack(startFaultyGateway, {
    policy: {
      routes: [{ path: "/open/*", tenant: false }, { path: "/pub/*", access: "public" }, { path: "/*" }],
    },
    namespaces: ["JWKS", "M2M_TENANTS", "REVOCATIONS"],
  });
  revocations = await stack.gateway.kv("REVOCATIONS");
  await (await stack.gateway.kv("M2M_TENANTS")).put("machine-1", '["acme","globex"]');
});
beforeEach(async () => {
  await stack.gateway.setFaults({});
  kvKeys = [];
});
afterAll(() => stack?.close());

/** Writes a revocation as `edge revoke` does, and lets the isolate's copy grow old. */
async function revoke(key: string, document: unknown, text = ""): Promise<void> {
  await revocations.put(key, text, document === undefined ? {} : { metadata: document });
  kvKeys.push(key);
  await stack.gateway.advance(31 * SECOND);
}
async function unrevokeAll(): Promise<void> {
  for (const key of kvKeys) await revocations.delete(key);
  await stack.gateway.advance(31 * SECOND);
}
const person = async (claims: Claims = {}) =>
  stack.outcome("/x", { token: await stack.id({ exp, iat, ...claims }) });
const machine = async (tenant = "acme", claims: Claims = {}) =>
  stack.outcome("/x", { token: await stack.machine({ exp, iat, ...claims }), tenant });

describe("each kind of revocation refuses what it names, and nothing else", () => {
  it.each([
    ["jti", "jti-1", () => person({ jti: "jti-1" }), () => person({ jti: "jti-2" })],
    [
      "origin_jti",
      "oj-1",
      () => person({ origin_jti: "oj-1" }),
      () => person({ origin_jti: "oj-2", jti: "oj-1" }),
    ],
    ["sub", "sub-1", () => person({ sub: "sub-1" }), () => person({ sub: "sub-2" })],
    ["sub", "machine-1", () => machine(), () => person({ aud: "app-client" })],
    ["client", "app-client", () => person(), () => machine()],
    ["client", "machine-1", () => machine(), () => person()],
    ["tenant", "acme", () => person(), () => person({ "custom:tenant_id": "globex" })],
    ["tenant", "globex", () => machine("globex"), () => machine("acme")],
    ["kid", "k1", () => person(), () => stack.outcome("/pub/x")],
  ])("%s:%s", async (kind, value, revoked, other) => {
    expect([await revoked(), await other()]).toEqual(["200", "200"]);
    await revoke(`${kind}:${value}`, {});
    expect([await revoked(), await other()]).toEqual(["token_revoked", "200"]);
    await unrevokeAll();
    expect(await revoked()).toBe("200");
  });
});

describe("what a revocation holds", () => {
  it.each([
    ["before after iat", { before: iat + 1 }, "", "token_revoked"],
    ["before at iat", { before: iat }, "", "200"],
    ["before ahead of iat", { before: iat - 1 }, "", "200"],
    ["before with a fraction", { before: iat + 0.5 }, "", "token_revoked"],
    ["an empty document", {}, "", "token_revoked"],
    ["no metadata and no bytes", undefined, "", "token_revoked"],
    ["no metadata, {} as value", undefined, "{}", "token_revoked"],
    ["no metadata, before as value", undefined, `{"before":${iat + 1}}`, "token_revoked"],
    ["no metadata, an early before as value", undefined, `{"before":${iat}}`, "200"],
    ["metadata, which the value does not change", { before: iat }, "{}", "200"],
    ["before as text", { before: "now" }, "", "revocations_unavailable"],
    ["no metadata, garbage as value", undefined, "garbage", "revocations_unavailable"],
  ])("%s", async (_what, metadata, text, outcome) => {
    await revoke("sub:documented", metadata, text);
    expect(await person({ sub: "documented" })).toBe(outcome);
    expect(await person({ sub: "somebody-else" })).toBe("200");
    await unrevokeAll();
  });

  it("ends with its TTL", async () => {
    // KV takes 60 s at least; what a listing no longer brings is what counts
    await revocations.put("sub:for-a-time", "", { metadata: {}, expirationTtl: 60 });
    await stack.gateway.advance(31 * SECOND);
    expect(await person({ sub: "for-a-time" })).toBe("token_revoked");
    await revocations.delete("sub:for-a-time");
    await stack.gateway.advance(31 * SECOND);
    expect(await person({ sub: "for-a-time" })).toBe("200");
  });

  it("counts before the kind of caller and the tenant are looked at", async () => {
    await revoke("sub:early", {});
    expect(await person({ sub: "early", "custom:tenant_id": undefined })).toBe("token_revoked");
    await unrevokeAll();
  });

  it("of a tenant concerns who has one, on routes without tenant too", async () => {
    await revoke("tenant:acme", {});
    const open = async (claims: Claims) =>
      stack.outcome("/open/x", { token: await stack.id({ exp, iat, ...claims }) });
    expect(await open({})).toBe("token_revoked");
    expect(await open({ "custom:tenant_id": undefined })).toBe("200");
    await unrevokeAll();
  });
});

describe("the isolate's copy", () => {
  it("costs no KV read on the request path while it is fresh", async () => {
    await stack.gateway.advance(31 * SECOND);
    expect(await person()).toBe("200");
    const failing = { kind: "throw" } as const;
    await stack.gateway.setFaults({ "REVOCATIONS.list": failing, "REVOCATIONS.get": failing });
    const failures = () =>
      stack.gateway.logs.filter(({ event }) => event === "revocations_read_failed").length;
    const before = failures();
    await stack.gateway.advance(15 * SECOND);
    for (let index = 0; index < 20; index += 1) expect(await person({ jti: `fresh-${index}` })).toBe("200");
    expect(failures()).toBe(before);
  });

  it("is refreshed in the background from 20 seconds on", async () => {
    await stack.gateway.advance(31 * SECOND);
    expect(await person({ sub: "background" })).toBe("200");
    await revocations.put("sub:background", "", { metadata: {} });
    await stack.gateway.advance(21 * SECOND);
    expect(await person({ sub: "background" })).toBe("200"); // answered at once, from the copy
    await eventually(async () => expect(await person({ sub: "background" })).toBe("token_revoked"));
    await revocations.delete("sub:background");
  });

  it("that is the last good one serves while KV fails, until 5 minutes after it was read, then 503", async () => {
    await revoke("sub:kept", {});
    expect(await person({ sub: "kept" })).toBe("token_revoked");
    await stack.gateway.setFaults({ "REVOCATIONS.list": { kind: "reject" } });
    await stack.gateway.advance(280 * SECOND);
    expect([await person({ sub: "kept" }), await person()]).toEqual(["token_revoked", "200"]);
    await stack.gateway.advance(20 * SECOND);
    expect(await person()).toBe("revocations_unavailable");
    expect(await stack.outcome("/pub/x")).toBe("200"); // public routes look at no token
    await stack.gateway.setFaults({});
    expect([await person({ sub: "kept" }), await person()]).toEqual(["token_revoked", "200"]);
    await unrevokeAll();
  });
});

describe("a large namespace", () => {
  it("of a thousand keys is one page, and one call", async () => {
    const large = await startLarge({ kinds: { jti: 500, sub: 500 } });
    expect(await large.outcome("/x", { token: await large.id({ sub: "many-499" }) })).toBe("token_revoked");
    expect(linesOf(large, "listed")).toEqual([{ event: "listed", prefix: "" }]);
    await large.close();
  });

  it("of 10,000 keys of one kind holds all of them, at half a second a page, without a read a key", async () => {
    const large = await startLarge({ kinds: { jti: 10_000 }, pageMs: 500 });
    for (const index of [0, 999, 1_000, 5_555, 9_999]) {
      const token = await large.id({ jti: `many-${index}` });
      expect([index, await large.outcome("/x", { token })]).toEqual([index, "token_revoked"]);
    }
    expect(await large.outcome("/x", { token: await large.id({ jti: "many-10000" }) })).toBe("200");
    const prefixes = linesOf(large, "listed").map(({ prefix }) => prefix);
    expect(prefixes.filter((prefix) => prefix === "jti:")).toHaveLength(10);
    expect(prefixes.toSorted().slice(0, 3)).toEqual(["", "client:", "jti:"]);
    expect(prefixes).toHaveLength(1 + 10 + 5); // each other kind has one page, which is empty
    expect(linesOf(large, "read")).toEqual([]);
    await large.close();
  });

  it("of 12,000 keys of all kinds takes no longer than that, since the kinds are listed beside one another", async () => {
    const counts = ["jti", "origin_jti", "sub", "client", "tenant", "kid"].map((kind) => [kind, 2_000]);
    const large = await startLarge({ kinds: Object.fromEntries(counts), pageMs: 1_500 }); // in a row: 18 s
    expect(await large.outcome("/x", { token: await large.id() })).toBe("200");
    for (const claims of [
      { sub: "many-1999" },
      { origin_jti: "many-1000" },
      { "custom:tenant_id": "many-0" },
    ])
      expect(await large.outcome("/x", { token: await large.id(claims) })).toBe("token_revoked");
    await large.close();
  });

  it("whose keys have no metadata is read a hundred keys at a time, through KV's own cache", async () => {
    const large = await startLarge({ kinds: { jti: 1_250 }, described: false });
    for (const index of [0, 99, 100, 1_249]) {
      const token = await large.id({ jti: `many-${index}` });
      expect([index, await large.outcome("/x", { token })]).toEqual([index, "token_revoked"]);
    }
    const reads = linesOf(large, "read");
    expect(reads.map(({ names }) => Number(names)).toSorted((a, b) => b - a)).toEqual([
      ...Array(12).fill(100),
      50,
    ]);
    expect(reads[0]?.["options"]).toMatchObject({ cacheTtl: 30 });
    await large.close();
  });

  it("of the real KV is read in the same way", async () => {
    const names = Array.from({ length: 120 }, (_, index) => `sub:bare-${index}`);
    await Promise.all(
      names.map((name) => revocations.put(name, name.endsWith("7") ? `{"before":${iat}}` : "")),
    );
    await stack.gateway.advance(31 * SECOND);
    const outcomes = [];
    for (const index of [0, 7, 119]) outcomes.push(await person({ sub: `bare-${index}` }));
    expect(outcomes).toEqual(["token_revoked", "200", "token_revoked"]);
    await Promise.all(names.map((name) => revocations.delete(name)));
    await unrevokeAll();
  });

  it.each([
    ["takes over ten seconds", { clockMs: 2_000 }],
    ["fails in one kind", { failing: "kid", pageMs: 20 }],
  ])("that %s is 503, and no call goes on behind it", async (_what, how) => {
    const large = await startLarge({ kinds: { jti: 1e9, sub: 1e9 }, ...how });
    expect(await large.outcome("/x", { token: await large.id() })).toBe("revocations_unavailable");
    await eventually(() => expect(linesOf(large, "revocations_read_failed")).toHaveLength(1));
    const calls = linesOf(large, "listed").length;
    expect(calls).toBeLessThanOrEqual(12);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(linesOf(large, "listed").length - calls).toBeLessThanOrEqual(2); // lines that were still on their way
    await large.close();
  });
});

describe("a list that has never been read", () => {
  it("is 503 revocations_unavailable, with Retry-After", async () => {
    const cold = await startStack(startFaultyGateway, { namespaces: ["JWKS", "M2M_TENANTS", "REVOCATIONS"] });
    await cold.gateway.setFaults({ "REVOCATIONS.list": { kind: "reject" } });
    const response = await cold.call("/x", { token: await cold.id() });
    expect([response.status, (await response.json()).error]).toEqual([503, "revocations_unavailable"]);
    expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
    await cold.gateway.setFaults({});
    expect(await cold.outcome("/x", { token: await cold.id() })).toBe("200");
    await cold.close();
  });
});
