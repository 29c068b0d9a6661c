import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { cacheKeyOf, type FaultyGateway, startFaultyGateway } from "../support/faults.ts";
import { startGateway } from "../support/gateway.ts";
import { startCognito, startServer, type TestServer } from "../support/servers.ts";
import { createSigningKey, idClaims, type SigningKey, sign } from "../support/tokens.ts";
import { deadUrl, eventually, nowSeconds, poolOf, type Stack, startStack } from "./stack.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY_OF_SECONDS = 86_400;

let stack: Stack<FaultyGateway>;
let other: TestServer;
let otherKey: SigningKey;
/** A second key of the first pool, published only when a test says so. */
let rotated: SigningKey;

const OTHER_POOL = "us-east-2_Other1";
const SECOND_FORM = "https://issuer-cognito-idp.us-east-2.amazonaws.com/us-east-2_Test1";

beforeAll(async () => {
  [otherKey, rotated] = await Promise.all([createSigningKey("k1"), createSigningKey("k2")]);
  other = await startCognito(() => [otherKey.jwk]);
  const dead = await deadUrl();
  stack = await startStack(startFaultyGateway, {
    policy: { routes: [{ path: "/*" }] },
    varsOf: ({ cognito }) => ({
      EXP_TOLERANCE_SECONDS: 300,
      USER_POOLS: [
        {
          id: "us-east-2_Test1",
          client_ids: ["app-client"],
          issuers: [
            {
              issuer: `${cognito}/us-east-2_Test1`,
              jwks_url: `${cognito}/us-east-2_Test1/.well-known/jwks.json`,
            },
            { issuer: SECOND_FORM, jwks_url: `${cognito}/second-form/jwks.json?x=1` },
          ],
        },
        poolOf(other.url, OTHER_POOL, { client_ids: ["other-client"] }),
        poolOf(dead, "us-east-2_Dead1"),
      ],
    }),
  });
});

beforeEach(async () => {
  stack.cognito.handler = undefined;
  stack.published.splice(0, stack.published.length, stack.key);
  await stack.gateway.setFaults({});
});

afterAll(async () => {
  await stack?.close();
  await other?.close();
});

/** The isolate's clock runs ahead of this one's by what the tests have added. */
let aheadSeconds = 0;
async function advance(ms: number): Promise<void> {
  await stack.gateway.advance(ms);
  aheadSeconds += ms / SECOND;
}
const issuedNow = (extra: Record<string, unknown> = {}) => ({
  iat: nowSeconds() + aheadSeconds - 5,
  exp: nowSeconds() + aheadSeconds + DAY_OF_SECONDS,
  jti: crypto.randomUUID(), // another token each time: the verified ones are remembered
  ...extra,
});
const tokenBy = (key: SigningKey, extra: Record<string, unknown> = {}) =>
  sign(key, idClaims(stack.issuer, 0, issuedNow(extra)));
const outcomeBy = async (key: SigningKey, extra: Record<string, unknown> = {}) =>
  stack.outcome("/x", { token: await tokenBy(key, extra) });
const asked = (path = "/us-east-2_Test1/"): number =>
  stack.cognito.received.filter(({ target }) => target.startsWith(path)).length;
/** Counts what Cognito is asked while it answers with something else. */
function cognitoAnswers(status: number, body: unknown = {}): () => number {
  let count = 0;
  stack.cognito.handler = (_request, response) => {
    count += 1;
    response.writeHead(status).end(JSON.stringify(body));
  };
  return () => count;
}

describe("a cold isolate", () => {
  it("asks once for 50 concurrent requests, and names where each key came from", async () => {
    const tokens = await Promise.all(Array.from({ length: 50 }, () => tokenBy(stack.key)));
    const responses = await Promise.all(tokens.map((token) => stack.call("/x", { token })));
    expect(responses.map(({ status }) => status)).toEqual(Array(50).fill(200));
    expect(asked()).toBe(1);
    expect(stack.cognito.received[0]?.target).toBe("/us-east-2_Test1/.well-known/jwks.json");
    for (const response of responses) await response.text();
    expect(await stack.lineOf(responses[0] as Response)).toMatchObject({ jwks: "origin", kid: "k1" });
    const again = await stack.call("/x", { token: await tokenBy(stack.key) });
    expect(await stack.lineOf(again)).toMatchObject({ jwks: "memory" });
    expect(asked()).toBe(1);
  });

  it("has written the set to the Cache API and to KV, with the time of its fetch", async () => {
    const kv = await stack.gateway.kv("JWKS");
    const documents = await eventually(async () => {
      const stored = [
        await kv.get(stack.issuer),
        await stack.gateway.getCache(cacheKeyOf(stack.gateway.url, stack.issuer)),
      ];
      if (stored.includes(null)) throw new Error("not yet");
      return stored.map((text) => JSON.parse(text ?? ""));
    });
    for (const document of documents) {
      expect(document.issuer).toBe(stack.issuer);
      expect(Math.abs(document.fetched_at_ms - Date.now())).toBeLessThan(5 * MINUTE);
      expect(document.keys.map(({ kid }: { kid: string }) => kid)).toEqual(["k1"]);
    }
  });

  it("nobody outside can read or write the cache entry", async () => {
    const address = new URL(cacheKeyOf(stack.gateway.url, stack.issuer)).pathname;
    expect(await stack.outcome(address)).toBe("invalid_path"); // its issuer is percent-encoded
    expect(await stack.outcome("/.well-known/edge-authorizer/jwks/x", { method: "PUT" })).toBe(
      "missing_token",
    );
  });

  it("without Cognito answers 503 jwks_unavailable, asks no more than once in ten seconds, and recovers", async () => {
    const token = await sign(
      otherKey,
      idClaims(`${other.url}/${OTHER_POOL}`, 0, issuedNow({ aud: "other-client" })),
    );
    let count = 0;
    other.handler = (_request, response) => {
      count += 1;
      response.writeHead(503).end();
    };
    for (let index = 0; index < 5; index += 1) {
      const response = await stack.call("/x", { token });
      expect([response.status, (await response.json()).error]).toEqual([503, "jwks_unavailable"]);
      expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
    }
    expect(count).toBe(1);
    other.handler = undefined;
    expect(await stack.outcome("/x", { token })).toBe("jwks_unavailable");
    await advance(10 * SECOND);
    expect(await stack.outcome("/x", { token })).toBe("200");
    expect(stack.gateway.logs.some(({ event }) => event === "jwks_fetch_failed")).toBe(true);
  });
});

describe("several pools and issuer forms", () => {
  it("each has its own keys, though their kid is the same, and its own app clients", async () => {
    const of = (key: SigningKey, iss: string, aud: string) => outcomeBy(key, { iss, aud });
    const otherIssuer = `${other.url}/${OTHER_POOL}`;
    expect(await of(stack.key, stack.issuer, "app-client")).toBe("200");
    expect(await of(otherKey, otherIssuer, "other-client")).toBe("200");
    expect(await of(stack.key, otherIssuer, "other-client")).toBe("invalid_signature");
    expect(await of(otherKey, stack.issuer, "app-client")).toBe("invalid_signature");
    expect(await of(stack.key, stack.issuer, "other-client")).toBe("invalid_audience");
    expect(await of(otherKey, otherIssuer, "app-client")).toBe("invalid_audience");
  });

  it("a pool's second issuer is fetched when a token first names it, from its own address", async () => {
    expect(asked("/second-form/")).toBe(0);
    expect(await outcomeBy(stack.key, { iss: SECOND_FORM })).toBe("200");
    expect(stack.cognito.last().target).toBe("/second-form/jwks.json?x=1");
  });

  it.each([
    ["a slash more", (issuer: string) => `${issuer}/`],
    ["another pool's id", (issuer: string) => issuer.replace("Test1", "Test2")],
    ["another case", (issuer: string) => issuer.toUpperCase()],
    ["a list", (issuer: string) => [issuer]],
    ["nothing", () => undefined],
    ["a prototype's name", () => "__proto__"],
  ])("an issuer with %s is invalid_signature, and nobody is asked", async (_what, change) => {
    const before = stack.cognito.received.length;
    expect(await outcomeBy(stack.key, { iss: change(stack.issuer) })).toBe("invalid_signature");
    expect(stack.cognito.received.length).toBe(before);
  });
});

describe("Cognito down, with known keys", () => {
  it("requests go on for 24 hours after the last good fetch, and not longer", async () => {
    await stack.gateway.runCron();
    const count = cognitoAnswers(500);
    for (const step of [11 * MINUTE, 6 * HOUR, 17 * HOUR]) {
      await advance(step);
      expect(await outcomeBy(stack.key)).toBe("200");
    }
    await eventually(() => expect(count()).toBeGreaterThanOrEqual(1));
    expect(await outcomeBy(rotated)).toBe("jwks_unavailable"); // a stranger's kid cannot be told from a new key
    await advance(50 * MINUTE);
    expect(await outcomeBy(stack.key)).toBe("jwks_unavailable");
    stack.cognito.handler = undefined;
    await advance(10 * SECOND);
    expect(await outcomeBy(stack.key)).toBe("200");
  });

  it("a stale set serves at once while a refresh runs in the background", async () => {
    await advance(11 * MINUTE);
    let release: () => void = () => undefined;
    let count = 0;
    stack.cognito.handler = (_request, response) => {
      count += 1;
      release = () => response.end(JSON.stringify({ keys: [stack.key.jwk] }));
    };
    const response = await stack.call("/x", { token: await tokenBy(stack.key) }); // Cognito has not answered yet
    expect(response.status).toBe(200);
    expect(await stack.lineOf(response)).toMatchObject({ jwks: "memory" });
    await eventually(() => expect(count).toBe(1));
    release();
  });
});

describe("rotation", () => {
  beforeEach(async () => {
    await advance(10 * SECOND);
    await outcomeBy(stack.key);
  });

  it("a new key is accepted at its first use, the old one goes on while it is published", async () => {
    stack.published.push(rotated);
    await advance(10 * SECOND);
    const before = asked();
    const response = await stack.call("/x", { token: await tokenBy(rotated) });
    expect(response.status).toBe(200);
    expect(await stack.lineOf(response)).toMatchObject({ jwks: "origin", kid: "k2" });
    expect(asked()).toBe(before + 1);
    expect(await outcomeBy(stack.key)).toBe("200");
  });

  it("during a flood of invented kids costs one question in ten seconds, and is accepted within ten", async () => {
    const stranger = await createSigningKey("invented");
    await advance(10 * SECOND);
    const before = asked();
    const flood = async () =>
      Promise.all(
        Array.from({ length: 40 }, async (_, index) =>
          stack.outcome("/x", {
            token: await sign(stranger, idClaims(stack.issuer, 0, issuedNow()), { kid: `invented-${index}` }),
          }),
        ),
      );
    expect(new Set(await flood())).toEqual(new Set(["invalid_signature"]));
    expect(asked()).toBe(before + 1);
    const next = await createSigningKey("k3");
    stack.published.push(next);
    expect(await outcomeBy(next)).toBe("invalid_signature"); // in between
    await flood();
    expect(asked()).toBe(before + 1);
    await advance(10 * SECOND);
    expect(await outcomeBy(next)).toBe("200");
    expect(asked()).toBe(before + 2);
  });

  it("a withdrawn key verifies nothing once a set without it is fetched, known tokens included", async () => {
    stack.published.splice(0, 1, rotated);
    const known = await tokenBy(stack.key);
    expect(await stack.outcome("/x", { token: known })).toBe("200");
    await advance(10 * SECOND);
    expect(await outcomeBy(rotated)).toBe("200");
    expect(await stack.outcome("/x", { token: known })).toBe("invalid_signature");
    const kv = await stack.gateway.kv("JWKS");
    await eventually(async () => {
      const kids = JSON.parse((await kv.get(stack.issuer)) ?? "").keys.map(({ kid }: { kid: string }) => kid);
      expect(kids).toEqual(["k2"]);
    });
  });

  it("another key under the same kid replaces the old one", async () => {
    const same = await createSigningKey("k1");
    stack.published.splice(0, 1, same);
    const known = await tokenBy(stack.key);
    expect(await stack.outcome("/x", { token: known })).toBe("200");
    await advance(11 * MINUTE);
    await stack.gateway.runCron();
    expect(await outcomeBy(same)).toBe("200");
    expect(await stack.outcome("/x", { token: known })).toBe("invalid_signature");
    stack.published.splice(0, 1, stack.key);
    await stack.gateway.runCron();
    expect(await outcomeBy(stack.key)).toBe("200");
  });
});

describe("the cron", () => {
  it("refreshes every explicit issuer and writes KV, so that a cold isolate need not ask", async () => {
    const kv = await stack.gateway.kv("JWKS");
    const fetchedAt = async () => JSON.parse((await kv.get(stack.issuer)) ?? "{}").fetched_at_ms;
    const before = (await fetchedAt()) ?? 0;
    await advance(5 * MINUTE);
    await stack.gateway.runCron();
    await eventually(async () => expect(await fetchedAt()).toBeGreaterThan(before));
  });

  it("replaces the entry of its data center's Cache API, where a cold isolate would find a withdrawn key", async () => {
    const kids = async () => {
      const text = await stack.gateway.getCache(cacheKeyOf(stack.gateway.url, stack.issuer));
      return JSON.parse(text ?? '{"keys":[]}').keys.map(({ kid }: { kid: string }) => kid);
    };
    await advance(10 * SECOND);
    await stack.gateway.runCron();
    await eventually(async () => expect(await kids()).toEqual(["k1"]));
    stack.published.splice(0, 1, rotated);
    await stack.gateway.runCron();
    await eventually(async () => expect(await kids()).toEqual(["k2"]));
    stack.published.splice(0, 1, stack.key);
    await stack.gateway.runCron();
  });

  it("in an isolate that has had no request does without the Cache API", async () => {
    const idle = await startStack(startGateway, {});
    await idle.gateway.runCron();
    const kv = await idle.gateway.kv("JWKS");
    await eventually(async () => expect(await kv.get(idle.issuer)).not.toBeNull());
    expect(idle.gateway.logs).toEqual([]);
    await idle.close();
  });
});

describe("isolates over the same KV", () => {
  it("a second one with warm KV asks Cognito nothing, and a third knows its health from there", async () => {
    const kvPersist = await mkdtemp(join(tmpdir(), "edge-kv-"));
    try {
      const first = await startStack(startGateway, { kvPersist });
      const token = await first.id();
      expect(await first.outcome("/x", { token })).toBe("200");
      const kv = await first.gateway.kv("JWKS");
      await eventually(async () => expect(await kv.get(first.issuer)).not.toBeNull());
      const askedBefore = first.cognito.received.length;
      await first.gateway.close();
      const startAnother = () =>
        startGateway({
          policy: { routes: [{ path: "/*" }] },
          vars: { ORIGIN_URL: first.origin.url, USER_POOLS: [poolOf(first.cognito.url)] },
          kvPersist,
        });
      const second = await startAnother();
      const response = await second.fetch("/x", { headers: { authorization: `Bearer ${token}` } });
      expect(response.status).toBe(200);
      await eventually(() => expect(second.decisions()[0]).toMatchObject({ jwks: "kv" }));
      await second.close();
      const third = await startAnother();
      const health = await third.fetch("/.well-known/edge-authorizer/health");
      expect([health.status, (await health.json()).pools[0].keys]).toEqual([200, 1]);
      expect(first.cognito.received.length).toBe(askedBefore);
      await Promise.all([third.close(), first.origin.close(), first.cognito.close()]);
    } finally {
      await rm(kvPersist, { recursive: true, force: true });
    }
  });
});

describe("a JWKS answer", () => {
  it("is asked for with GET, and no redirect is followed", async () => {
    const elsewhere = await startServer((_request, response) =>
      response.end(JSON.stringify({ keys: [rotated.jwk] })),
    );
    stack.cognito.handler = (_request, response) =>
      response.writeHead(302, { location: `${elsewhere.url}/jwks.json` }).end();
    await advance(10 * SECOND);
    expect(await outcomeBy(rotated)).toBe("jwks_unavailable");
    expect(elsewhere.received).toHaveLength(0);
    await elsewhere.close();
  });

  it.each([
    ["no key", () => ({ keys: [] })],
    ["no JWKS", () => ["keys"]],
    ["a key for encryption", () => ({ keys: [{ ...rotated.jwk, use: "enc" }] })],
    ["a key of another algorithm", () => ({ keys: [{ ...rotated.jwk, alg: "RS512" }] })],
    ["an even exponent", () => ({ keys: [{ ...rotated.jwk, e: "AQAA" }] })],
    ["the exponent one", () => ({ keys: [{ ...rotated.jwk, e: "AQ" }] })],
    ["a key without kid", () => ({ keys: [{ ...rotated.jwk, kid: undefined }] })],
    ["more than 64 KiB", () => ({ keys: [rotated.jwk], pad: "x".repeat(65_536) })],
  ])("with %s is a failed fetch: 503 for an unknown kid, and known keys go on", async (_what, body) => {
    await advance(10 * SECOND);
    await stack.gateway.runCron();
    await advance(10 * SECOND);
    cognitoAnswers(200, body());
    expect(await outcomeBy(rotated)).toBe("jwks_unavailable");
    expect(await outcomeBy(stack.key)).toBe("200");
  });

  it("of a weak key beside a good one is the good one", async () => {
    const weak = await createSigningKey("weak", 1024).catch(() => undefined);
    await advance(10 * SECOND);
    const keys = [
      { kty: "EC", kid: "ec" },
      weak?.jwk,
      { ...rotated.jwk, use: undefined, alg: undefined },
      null,
    ];
    cognitoAnswers(200, { keys });
    expect(await outcomeBy(rotated)).toBe("200");
    if (weak !== undefined) expect(await outcomeBy(weak)).toBe("invalid_signature");
  });
});
