import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type FaultyGateway, startFaultyGateway } from "../support/faults.ts";
import { type KVNamespaceLike, startGateway } from "../support/gateway.ts";
import { type Claims, eventually, nowSeconds, type Stack, startStack } from "./stack.ts";

const SECOND = 1_000;

/** 10,000 writes to a real KV take a minute; this one lists them as KV does, 1,000 a page, and has no values. */
const manyRevocations = (policy: string): string => `
  import { createWorker } from "./src/index.ts";
  const worker = createWorker(${policy});
  const REVOCATIONS = {
    get() { throw new Error("no value is to be read"); },
    async list({ cursor }) {
      console.log(JSON.stringify({ event: "listed" }));
      const start = Number(cursor ?? 0);
      const names = Array.from({ length: 1_000 }, (_, index) => "jti:many-" + (start + index));
      const keys = names.map((name) => ({ name, metadata: { before: 9_999_999_999 } }));
      const end = start + 1_000;
      return end < 10_000 ? { keys, list_complete: false, cursor: String(end) } : { keys, list_complete: true };
    },
  };
  let extended;
  export default {
    fetch: (request, env, context) => worker.fetch(request, (extended ??= { ...env, REVOCATIONS }), context),
  };`;
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

  it("holds 10,000 of them, listed a page after the other with their metadata: no read a key", async () => {
    const many = await startStack(startGateway, {
      policy: { routes: [{ path: "/*" }] },
      namespaces: ["JWKS", "M2M_TENANTS"],
      entry: manyRevocations,
    });
    for (const index of [0, 999, 1_000, 5_555, 9_999]) {
      const token = await many.id({ jti: `many-${index}` });
      expect([index, await many.outcome("/x", { token })]).toEqual([index, "token_revoked"]);
    }
    expect(await many.outcome("/x", { token: await many.id({ jti: "many-10000" }) })).toBe("200");
    expect(many.gateway.logs.filter(({ event }) => event === "listed")).toHaveLength(10);
    await many.close();
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
