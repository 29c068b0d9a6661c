import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cacheKeyOf, type Faults, type FaultyGateway, startFaultyGateway } from "../support/faults.ts";
import { startOrigin, startServer, type TestServer } from "../support/servers.ts";
import { createSigningKey, idClaims, machineClaims, type SigningKey, sign } from "../support/tokens.ts";
import { firstOf } from "./first-of.ts";

let key: SigningKey;
let attacker: SigningKey;
let origin: TestServer;
let cognito: TestServer;
let gateway: FaultyGateway;

const issuerOf = (pool: string): string => `${cognito.url}/us-east-2_${pool}`;
const now = (): number => Math.floor(Date.now() / 1000);
const askedOf = (pool: string): number =>
  cognito.received.filter(({ target }) => target.startsWith(`/us-east-2_${pool}/`)).length;

interface Named {
  readonly issuer: string;
  readonly key: SigningKey;
  readonly attacker: SigningKey;
}

const documentOf = (n: Named, overrides: Record<string, unknown> = {}): string => {
  const { kid, n: modulus, e } = n.attacker.jwk;
  const keys = [{ kid, n: modulus, e }];
  return JSON.stringify({ issuer: n.issuer, fetched_at_ms: Date.now() - 1_000, keys, ...overrides });
};

/** What a stored key set must never be taken for; where it holds a key, the attacker's under the known `kid`. */
const CORRUPT: Readonly<Record<string, (named: Named) => string>> = {
  Empty: () => "",
  Garbage: () => "garbage",
  CutShort: (n) => documentOf(n).slice(0, -9),
  JsonNull: () => "null",
  JsonText: () => '"text"',
  JsonArray: (n) => `[${documentOf(n)}]`,
  Html: () => "<html></html>",
  PlainJwks: (n) => JSON.stringify({ keys: [n.attacker.jwk] }),
  OtherIssuer: (n) => documentOf(n, { issuer: "https://evil.example" }),
  IssuerSlash: (n) => documentOf(n, { issuer: `${n.issuer}/` }),
  IssuerArray: (n) => documentOf(n, { issuer: [n.issuer] }),
  NoIssuer: (n) => documentOf(n, { issuer: undefined }),
  Future: (n) => documentOf(n, { fetched_at_ms: Date.now() + 3_600_000 }),
  FarFuture: (n) => documentOf(n, { fetched_at_ms: Number.MAX_SAFE_INTEGER }),
  TimeText: (n) => documentOf(n, { fetched_at_ms: String(Date.now()) }),
  TimeNull: (n) => documentOf(n, { fetched_at_ms: null }),
  TimeInfinite: (n) => documentOf(n, { fetched_at_ms: 7 }).replace(":7,", ":1e999,"),
  NoKeys: (n) => documentOf(n, { keys: [] }),
  KeysObject: (n) => documentOf(n, { keys: { 0: n.attacker.jwk } }),
  KeyNull: (n) => documentOf(n, { keys: [null] }),
  KeyWithoutKid: (n) => documentOf(n, { keys: [{ n: n.attacker.jwk.n, e: "AQAB" }] }),
  KeyWeak: (n) => documentOf(n, { keys: [{ kid: "k1", n: "AQAB", e: "AQAB" }] }),
  KeyExponentOne: (n) => documentOf(n, { keys: [{ kid: "k1", n: n.attacker.jwk.n, e: "AQ" }] }),
  KeyNoBase64: (n) => documentOf(n, { keys: [{ kid: "k1", n: "!".repeat(342), e: "AQAB" }] }),
  KidTwice: (n) => documentOf(n, { keys: [n.attacker.jwk, { ...n.key.jwk, kid: n.attacker.kid }] }),
  Huge: (n) => {
    const { kid, n: modulus, e } = n.attacker.jwk;
    const keys = Array.from({ length: 400 }, (_, index) => ({ kid: `${kid}-${index}`, n: modulus, e }));
    return documentOf(n, { keys: [{ kid, n: modulus, e }, ...keys] });
  },
  DeepNesting: (n) => documentOf(n, { keys: 7 }).replace(":7", `:${"[".repeat(50_000)}${"]".repeat(50_000)}`),
  Proto: (n) => `{"__proto__":${documentOf(n)}}`,
};

const STORES = ["Kv", "Cache", "Both"] as const;
const CLIENTS_WITH: Readonly<Record<string, string>> = {
  "empty value": "",
  garbage: "garbage",
  "cut short": '{"tenants":["acme"]',
  null: "null",
  true: "true",
  text: '"acme"',
  number: "7",
  "byte order mark": '\ufeff["acme"]',
  "no tenants": "{}",
  "misspelt member": '{"tenant":["acme"]}',
  "another member": '{"tenants":["acme"],"expires":1}',
  "tenants as text": '{"tenants":"acme"}',
  "tenants as an object": '{"tenants":{"0":"acme"}}',
  "tenants null": '{"tenants":null}',
  "a number among them": '["acme",1]',
  "a list among them": '["acme",["acme"]]',
  "role as a number": '{"tenants":["acme"],"role":1}',
  "an empty role": '{"tenants":["acme"],"role":""}',
  "role null": '{"tenants":["acme"],"role":null}',
  "disabled as text": '{"tenants":["acme"],"disabled":"false"}',
  "disabled null": '{"tenants":["acme"],"disabled":null}',
  "a prototype's tenants": '{"__proto__":{"tenants":["acme"]}}',
  html: "<html>",
};

beforeAll(async () => {
  [key, attacker] = await Promise.all([createSigningKey("k1"), createSigningKey("k1")]);
  origin = await startOrigin();
  cognito = await startServer((_request, response) => response.end(JSON.stringify({ keys: [key.jwk] })));
  const pools = [
    ...[
      "Healthy",
      "Throws",
      "Rejects",
      "Hangs",
      "Slow",
      "NoPut",
      "Inert",
      "CacheHangs",
      "CacheThrows",
      "Cron",
    ],
    ...STORES.flatMap((store) => Object.keys(CORRUPT).map((name) => `${store}${name}`)),
  ];
  gateway = await startFaultyGateway({
    policy: { m2mScope: "zen/m2m", routes: [{ path: "/v1/*" }] },
    namespaces: ["JWKS", "M2M_TENANTS", "REVOCATIONS"],
    vars: {
      ORIGIN_URL: origin.url,
      USER_POOLS: pools.map((pool) => ({
        id: `us-east-2_${pool}`,
        client_ids: ["app-client"],
        issuers: [{ issuer: issuerOf(pool), jwks_url: `${issuerOf(pool)}/jwks.json` }],
      })),
    },
  });
  const lists = await gateway.kv("M2M_TENANTS");
  await lists.put("machine-1", '{"tenants":["acme"]}');
  for (const [index, text] of Object.values(CLIENTS_WITH).entries())
    await lists.put(`corrupt-${index}`, text);
  expect(await callAs(await personOf("Healthy"))).toMatchObject({ status: 200 });
});

afterAll(async () => {
  await gateway.close();
  await Promise.all([origin.close(), cognito.close()]);
});

const personOf = (pool: string, signer = key, overrides = {}): Promise<string> =>
  sign(signer, idClaims(issuerOf(pool), now(), { exp: now() + 500_000, ...overrides }));
const machineOf = (clientId: string): Promise<string> =>
  sign(
    key,
    machineClaims(issuerOf("Healthy"), now(), { sub: clientId, client_id: clientId, exp: now() + 500_000 }),
  );

interface Outcome {
  readonly status: number;
  readonly code: string | undefined;
  readonly ms: number;
}

async function callAs(token: string): Promise<Outcome> {
  const startedAt = performance.now();
  const headers = { authorization: `Bearer ${token}`, "x-tenant-id": "acme" };
  const response = await gateway.fetch("/v1/x", { headers });
  const code = /"error":"(\w+)"/.exec(await response.text())?.[1];
  return { status: response.status, code, ms: performance.now() - startedAt };
}

async function during<T>(faults: Faults, act: () => Promise<T>): Promise<T> {
  await gateway.setFaults(faults);
  try {
    return await act();
  } finally {
    await gateway.setFaults({});
  }
}

const eventually = async (condition: () => Promise<boolean>): Promise<boolean> => {
  for (let attempt = 0; attempt < 40; attempt += 1) {
    if (await condition()) return true;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  return false;
};

describe("the key-set stores fail", () => {
  const FAULTS: readonly (readonly [pool: string, faults: Faults, atMostMs: number])[] = [
    ["Throws", { "JWKS.get": { kind: "throw" }, "JWKS.put": { kind: "throw" } }, 8_000],
    ["Rejects", { "JWKS.get": { kind: "reject" }, "JWKS.put": { kind: "reject" } }, 8_000],
    ["Hangs", { "JWKS.get": { kind: "hang" }, "JWKS.put": { kind: "hang" } }, 12_000],
    ["Slow", { "JWKS.get": { kind: "slow", ms: 400 } }, 8_000],
    ["NoPut", { "JWKS.put": { kind: "reject" }, "cache.put": { kind: "throw" } }, 8_000],
    [
      "Inert", // as on workers.dev: put resolves, and nothing is there
      {
        "cache.match": { kind: "value", value: undefined },
        "cache.put": { kind: "value", value: undefined },
      },
      8_000,
    ],
    ["CacheHangs", { "cache.match": { kind: "hang" }, "cache.put": { kind: "hang" } }, 12_000],
    ["CacheThrows", { "cache.match": { kind: "throw" }, "cache.put": { kind: "throw" } }, 8_000],
  ];
  it.each(FAULTS)(
    "%s: Cognito is asked instead, nobody else waits, and the next request works",
    async (pool, faults, atMostMs) => {
      const token = await personOf(pool);
      const healthy = await personOf("Healthy");
      await during(faults, async () => {
        const waiting = Promise.all([callAs(token), callAs(token), callAs(token)]);
        expect(await callAs(healthy)).toMatchObject({ status: 200 });
        for (const outcome of await waiting) {
          expect(outcome).toMatchObject({ status: 200 });
          expect(outcome.ms).toBeLessThan(atMostMs);
        }
      });
      expect(await callAs(token)).toMatchObject({ status: 200 });
      expect(askedOf(pool)).toBe(1);
    },
  );
});

describe("a stored key set is corrupt, of another issuer or from the future", () => {
  const cases = STORES.flatMap((store) => Object.keys(CORRUPT).map((name) => [store, name] as const));
  it.each(cases)("%s %s: skipped, logged, overwritten", async (store, name) => {
    const pool = `${store}${name}`;
    const issuer = issuerOf(pool);
    const text = CORRUPT[name]?.({ issuer, key, attacker }) ?? "";
    const cacheKey = cacheKeyOf(gateway.url, issuer);
    const kv = await gateway.kv("JWKS");
    if (store !== "Cache") await kv.put(issuer, text);
    if (store !== "Kv") await gateway.putCache(cacheKey, text);

    expect(await callAs(await personOf(pool))).toMatchObject({ status: 200 });
    expect(await callAs(await personOf(pool, attacker))).toMatchObject({ code: "invalid_signature" });

    const layers = { Kv: ["kv"], Cache: ["cache"], Both: ["cache", "kv"] }[store];
    const lines = gateway.logs.filter(
      (line) => line["event"] === "jwks_entry_corrupt" && line["issuer"] === issuer,
    );
    expect(lines.map((line) => line["store"])).toEqual(layers);
    const isGood = (stored: string | null): boolean => stored?.includes(key.jwk.n ?? "?") ?? false;
    expect(await eventually(async () => isGood(await kv.get(issuer)))).toBe(true);
    expect(await eventually(async () => isGood(await gateway.getCache(cacheKey)))).toBe(true);
  });
});

describe("the allow-lists fail", () => {
  const UNAVAILABLE = { status: 503, code: "allowlist_unavailable" };

  it.each(["throw", "reject"] as const)(
    "%s: 503, people are served, and the next request works",
    async (kind) => {
      const token = await machineOf("machine-1");
      await during({ "M2M_TENANTS.get": { kind } }, async () => {
        expect(await callAs(token)).toMatchObject(UNAVAILABLE);
        expect(await callAs(await personOf("Healthy"))).toMatchObject({ status: 200 });
      });
      expect(await callAs(token)).toMatchObject({ status: 200 });
      await gateway.advance(6 * 60_000);
    },
  );

  it("hanging: 503 after three seconds, and nobody else waits", async () => {
    const token = await machineOf("machine-1");
    await during({ "M2M_TENANTS.get": { kind: "hang" } }, async () => {
      const waiting = Promise.all([callAs(token), callAs(token)]);
      const person = callAs(await personOf("Healthy"));
      expect(await firstOf({ waiting, person })).toBe("person");
      expect(await person).toMatchObject({ status: 200 });
      for (const outcome of await waiting) {
        expect(outcome).toMatchObject(UNAVAILABLE);
        expect(outcome.ms).toBeLessThan(20_000);
      }
    });
    expect(await callAs(token)).toMatchObject({ status: 200 });
  });

  it("a slow read is waited for", async () => {
    await gateway.advance(6 * 60_000);
    const token = await machineOf("machine-1");
    await during({ "M2M_TENANTS.get": { kind: "slow", ms: 700 } }, async () => {
      expect(await callAs(token)).toMatchObject({ status: 200 });
    });
  });

  it("the last good copy serves for five minutes after its read, then 503", async () => {
    await gateway.advance(6 * 60_000);
    const token = await machineOf("machine-1");
    expect(await callAs(token)).toMatchObject({ status: 200 });
    await during({ "M2M_TENANTS.get": { kind: "reject" } }, async () => {
      for (const seconds of [25, 10, 200, 45]) {
        await gateway.advance(seconds * 1_000);
        expect(await callAs(token)).toMatchObject({ status: 200 });
      }
      await gateway.advance(21_000);
      expect(await callAs(token)).toMatchObject(UNAVAILABLE);
    });
    expect(await callAs(token)).toMatchObject({ status: 200 });
  });

  it.each([...Object.keys(CLIENTS_WITH).entries()])("document %i, %s: 503, never allowed", async (index) => {
    expect(await callAs(await machineOf(`corrupt-${index}`))).toMatchObject(UNAVAILABLE);
  });

  it("a client that has none is not allowed, whatever its id looks like", async () => {
    for (const clientId of [
      "nobody",
      "__proto__",
      "constructor",
      ".",
      "..",
      "../machine-1",
      "machine-1 ",
      "x".repeat(600),
      "é".repeat(300),
    ])
      expect(await callAs(await machineOf(clientId)), clientId.slice(0, 20)).toMatchObject({
        status: 403,
        code: "tenant_not_allowed",
      });
  });
});

describe("the revocations fail", () => {
  const UNAVAILABLE = { status: 503, code: "revocations_unavailable" };

  it.each(["throw", "reject"] as const)(
    "%s: 503 where none were ever read, and the next request works",
    async (kind) => {
      await gateway.advance(6 * 60_000);
      const token = await personOf("Healthy");
      await during({ "REVOCATIONS.list": { kind } }, async () => {
        expect(await callAs(token)).toMatchObject(UNAVAILABLE);
      });
      expect(await callAs(token)).toMatchObject({ status: 200 });
    },
  );

  it("hanging: 503 after three seconds", async () => {
    await gateway.advance(6 * 60_000);
    const token = await personOf("Healthy");
    await during({ "REVOCATIONS.list": { kind: "hang" } }, async () => {
      const outcomes = await Promise.all([callAs(token), callAs(token)]);
      for (const outcome of outcomes) {
        expect(outcome).toMatchObject(UNAVAILABLE);
        expect(outcome.ms).toBeLessThan(20_000);
      }
    });
    expect(await callAs(token)).toMatchObject({ status: 200 });
  });

  it("the last good list serves for five minutes, then 503", async () => {
    await gateway.advance(6 * 60_000);
    const token = await personOf("Healthy");
    expect(await callAs(token)).toMatchObject({ status: 200 });
    await during({ "REVOCATIONS.list": { kind: "reject" } }, async () => {
      await gateway.advance(280_000);
      expect(await callAs(token)).toMatchObject({ status: 200 });
      await gateway.advance(21_000);
      expect(await callAs(token)).toMatchObject(UNAVAILABLE);
    });
    expect(await callAs(token)).toMatchObject({ status: 200 });
  });

  it("a malformed entry is an outage for whom it names, and for nobody else", async () => {
    const kv = await gateway.kv("REVOCATIONS");
    const malformed = [
      "x",
      "[]",
      "7",
      '"x"',
      '{"before":"1"}',
      '{"before":null}',
      '{"before":1e999}',
      "null-",
    ];
    for (const [index, text] of malformed.entries()) await kv.put(`sub:malformed-${index}`, text);
    await kv.put("sub:revoked", "");
    await kv.put("sub:broken-metadata", "", { metadata: { before: "soon" } });
    await gateway.advance(31_000);
    const outcomeOf = async (sub: string) => callAs(await personOf("Healthy", key, { sub }));
    expect(await outcomeOf("somebody")).toMatchObject({ status: 200 });
    for (const index of malformed.keys())
      expect(await outcomeOf(`malformed-${index}`)).toMatchObject(UNAVAILABLE);
    expect(await outcomeOf("broken-metadata")).toMatchObject(UNAVAILABLE);
    expect(await outcomeOf("revoked")).toMatchObject({ status: 401, code: "token_revoked" });
  });
});

describe("the cron, while KV fails", () => {
  it("does not throw, and asks Cognito", async () => {
    const before = askedOf("Cron");
    await during({ "JWKS.get": { kind: "throw" }, "JWKS.put": { kind: "reject" } }, () => gateway.runCron());
    expect(askedOf("Cron")).toBe(before + 1);
    expect(gateway.output.filter((text) => /uncaught/i.test(text))).toEqual([]);
  });
});
