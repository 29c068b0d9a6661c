import type { IncomingMessage, ServerResponse } from "node:http";
import { request as httpRequest } from "node:http";
import { exportJWK, type JWK } from "jose";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type FaultyGateway, startFaultyGateway } from "../support/faults.ts";
import { startOrigin, startServer, type TestServer } from "../support/servers.ts";
import { createSigningKey, idClaims, type SigningKey, sign } from "../support/tokens.ts";
import { firstOf } from "./first-of.ts";

type Answer = (response: ServerResponse, request: IncomingMessage) => void;

const json = (response: ServerResponse, body: unknown, status = 200): void => {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(typeof body === "string" ? body : JSON.stringify(body));
};

let key: SigningKey;
let weakJwk: JWK;
let origin: TestServer;
let cognito: TestServer;
let gateway: FaultyGateway;
/** How Cognito answers for a pool, by its name; by default with the key. */
const answers = new Map<string, Answer>();
/** Requests for a pool's keys, by its name. */
const asked = new Map<string, number>();

/** 1,024 bits: jose itself would not make it. */
async function createWeakJwk(): Promise<JWK> {
  const algorithm = { name: "RSASSA-PKCS1-v1_5", modulusLength: 1024, hash: "SHA-256" };
  const pair = await crypto.subtle.generateKey(
    { ...algorithm, publicExponent: new Uint8Array([1, 0, 1]) },
    true,
    ["sign", "verify"],
  );
  const { n, e } = await crypto.subtle.exportKey("jwk", pair.publicKey);
  return { kid: "k1", kty: "RSA", alg: "RS256", use: "sig", n: n ?? "", e: e ?? "" };
}

const publish: Answer = (response) => json(response, { keys: [key.jwk] });
const askedOf = (pool: string): number => asked.get(pool) ?? 0;
const issuerOf = (pool: string): string => `${cognito.url}/us-east-2_${pool}`;
const failuresOf = (pool: string) =>
  gateway.logs.filter((line) => line["event"] === "jwks_fetch_failed" && line["issuer"] === issuerOf(pool));
const now = (): number => Math.floor(Date.now() / 1000);

/** What an outage looks like for a caller whose keys were never seen: 503, and at once the next time. */
const OUTAGES: Readonly<Record<string, Answer>> = {
  Status500: (response) => json(response, { message: "InternalErrorException" }, 500),
  Status503: (response) => json(response, "Service Unavailable", 503),
  Status429: (response) => json(response, { __type: "TooManyRequestsException" }, 429),
  Status403: (response) => json(response, { message: "Forbidden" }, 403),
  Status404: (response) => json(response, { message: "User pool does not exist." }, 404),
  Status204: (response) => void response.writeHead(204).end(),
  Status206: (response) => json(response, { keys: [key.jwk] }, 206),
  Html: (response) => void response.writeHead(200, { "content-type": "text/html" }).end("<html>Sorry</html>"),
  Garbage: (response) =>
    void response.end(Buffer.from(Array.from({ length: 2_000 }, (_, i) => (i * 131) % 256))),
  Empty: (response) => void response.end(),
  CutShort: (response) => void response.end('{"keys":[{"kid":"k1","kty":"RSA"'),
  NoSet: (response) => json(response, [key.jwk]),
  NullSet: (response) => json(response, "null"),
  KeysNoArray: (response) => json(response, { keys: { 0: key.jwk, length: 1 } }),
  EmptySet: (response) => json(response, { keys: [] }),
  OddMembers: (response) => json(response, { keys: [null, 1, "x", [], {}, [key.jwk]] }),
  WeakKey: (response) => json(response, { keys: [weakJwk] }),
  NotRsa: (response) =>
    json(response, {
      keys: [
        { kid: "k1", kty: "EC", crv: "P-256", x: "AA", y: "AA", use: "sig", alg: "ES256" },
        { kid: "k1", kty: "oct", k: key.jwk.n, alg: "HS256" },
      ],
    }),
  ForEncryption: (response) => json(response, { keys: [{ ...key.jwk, use: "enc" }] }),
  OtherAlg: (response) => json(response, { keys: [{ ...key.jwk, alg: "RS512" }] }),
  ExponentOne: (response) => json(response, { keys: [{ ...key.jwk, e: "AQ" }] }),
  ExponentEven: (response) => json(response, { keys: [{ ...key.jwk, e: "AQAA" }] }),
  NoBase64: (response) => json(response, { keys: [{ ...key.jwk, n: "!".repeat(400) }] }),
  NoKid: (response) => json(response, { keys: [{ ...key.jwk, kid: undefined }] }),
  NumericKid: (response) => json(response, { keys: [{ ...key.jwk, kid: 1 }] }),
  SameKidTwice: (response) => json(response, { keys: [key.jwk, { ...weakJwk, n: `${key.jwk.n}` }] }),
  TenMegabytes: (response) => {
    response.writeHead(200, { "content-type": "application/json" });
    response.write(`{"keys":[${JSON.stringify(key.jwk)}],"filler":"`);
    const chunk = "x".repeat(64 * 1024);
    let left = 160;
    const more = (): void => {
      while (left > 0 && !response.destroyed) {
        left -= 1;
        if (!response.write(chunk)) return void response.once("drain", more);
      }
      if (!response.destroyed) response.end('"}');
    };
    more();
  },
  Redirect: (response) => void response.writeHead(302, { location: "/us-east-2_Healthy/jwks.json" }).end(),
  Redirect308: (response) => void response.writeHead(308, { location: "/us-east-2_Healthy/jwks.json" }).end(),
  RedirectWithBody: (response) => {
    response.writeHead(301, { location: "/us-east-2_Healthy/jwks.json" });
    response.end(JSON.stringify({ keys: [key.jwk] }));
  },
  DeepNesting: (response) => json(response, `{"keys":${"[".repeat(30_000)}${"]".repeat(30_000)}}`),
  DeepUnended: (response) => json(response, `{"keys":${'{"a":'.repeat(12_000)}`),
  ManyKeys: (response) => json(response, { keys: Array.from({ length: 9_000 }, (_, n) => ({ k: n })) }),
  Prototype: (response) =>
    json(response, `{"__proto__":{"keys":[${JSON.stringify(key.jwk)}]},"constructor":{"keys":[]}}`),
  HangsUp: (response) => void response.destroy(),
  HangsUpMidBody: (response) => {
    response.writeHead(200, { "content-length": "1000" });
    response.write('{"keys":[');
    setTimeout(() => response.destroy(), 50);
  },
};

/** Answers that do not end within the three seconds that a fetch has. */
const SLOW: Readonly<Record<string, Answer>> = {
  Never: () => undefined,
  HeadOnly: (response) => void response.writeHead(200, { "content-type": "application/json" }).flushHeaders(),
  ByteASecond: (response) => {
    const text = JSON.stringify({ keys: [key.jwk] });
    let index = 0;
    const timer = setInterval(() => {
      if (index >= text.length || response.destroyed) return void clearInterval(timer);
      response.write(text.charAt(index));
      index += 1;
    }, 1_000);
    response.once("close", () => clearInterval(timer));
  },
};

const POOLS = [
  "Healthy",
  "Stale",
  "Flood",
  "Gone",
  "Rotates",
  "Private",
  ...Object.keys(OUTAGES),
  ...Object.keys(SLOW),
];

beforeAll(async () => {
  [key, weakJwk] = await Promise.all([createSigningKey("k1"), createWeakJwk()]);
  [origin, cognito] = await Promise.all([startOrigin(), startServer(() => undefined)]);
  cognito.handler = (request, response) => {
    const pool = /^\/us-east-2_(\w+)\//.exec(request.url ?? "")?.[1] ?? "";
    asked.set(pool, askedOf(pool) + 1);
    (answers.get(pool) ?? publish)(response, request);
  };
  for (const [pool, answer] of Object.entries({ ...OUTAGES, ...SLOW })) answers.set(pool, answer);
  gateway = await startFaultyGateway({
    policy: { routes: [{ path: "/v1/*", tenant: false }] },
    vars: {
      ORIGIN_URL: origin.url,
      USER_POOLS: POOLS.map((pool) => ({
        id: `us-east-2_${pool}`,
        client_ids: ["app-client"],
        issuers: [{ issuer: issuerOf(pool), jwks_url: `${issuerOf(pool)}/jwks.json` }],
      })),
    },
  });
});

afterAll(async () => {
  await gateway.close();
  await Promise.all([origin.close(), cognito.close()]);
});

const tokenOf = (pool: string, signer = key, header = {}): Promise<string> =>
  sign(signer, idClaims(issuerOf(pool), now(), { exp: now() + 500_000 }), header);

interface Outcome {
  readonly status: number;
  readonly code: string | undefined;
  readonly ms: number;
}

async function call(token: string): Promise<Outcome> {
  const startedAt = performance.now();
  const response = await gateway.fetch("/v1/x", { headers: { authorization: `Bearer ${token}` } });
  const body = await response.text();
  if (response.status === 503) expect(response.headers.get("retry-after")).toMatch(/^\d+$/);
  return {
    status: response.status,
    code: /"error":"(\w+)"/.exec(body)?.[1],
    ms: performance.now() - startedAt,
  };
}

/** What a fetch of keys has: who waits for less has not waited for one that hangs. */
const LIMIT_MS = 3_000;
const UNAVAILABLE = { status: 503, code: "jwks_unavailable" };

describe("Cognito answers with anything but its keys", () => {
  it.each(Object.keys(OUTAGES))(
    "%s: 503, never 401; asked once; accepted ten seconds after it is back",
    async (pool) => {
      const token = await tokenOf(pool);
      expect(await call(token)).toMatchObject(UNAVAILABLE);
      expect(askedOf(pool)).toBe(1);
      for (let again = 0; again < 3; again += 1) expect(await call(token)).toMatchObject(UNAVAILABLE);
      expect(askedOf(pool)).toBe(1);
      expect(await call(await tokenOf("Healthy"))).toMatchObject({ status: 200 });
      answers.delete(pool);
      await gateway.advance(10_000);
      expect(await call(token)).toMatchObject({ status: 200 });
      expect(askedOf(pool)).toBe(2);
    },
  );

  it("never followed a redirect", () => {
    expect(askedOf("Healthy")).toBe(1);
  });

  it("told the log of each outage, with the issuer", () => {
    for (const pool of Object.keys(OUTAGES)) {
      expect(failuresOf(pool), pool).toHaveLength(1);
    }
  });

  it("takes a private key that was published by mistake for its public half", async () => {
    const jwk = { ...(await exportJWK(key.privateKey)), kid: "k1", alg: "RS256", use: "sig" };
    answers.set("Private", (response) => json(response, { keys: [jwk] }));
    expect(await call(await tokenOf("Private"))).toMatchObject({ status: 200 });
    const stored = (await (await gateway.kv("JWKS")).get(issuerOf("Private"))) ?? "";
    expect(stored).toContain(key.jwk.n ?? "?");
    expect(stored).not.toContain(jwk.d ?? "?");
  });
});

describe("Cognito does not answer in time", () => {
  it("503 after three seconds for those who ask, at once for who comes later; nobody else waits", async () => {
    const pools = Object.keys(SLOW);
    const tokens = await Promise.all(pools.map((pool) => tokenOf(pool)));
    const waiting = Promise.all(
      tokens.flatMap((token) => [call(token), call(token), call(token), call(token)]),
    );
    const others = call(await tokenOf("Healthy"));
    expect(await firstOf({ waiting, others })).toBe("others");
    expect(await others).toMatchObject({ status: 200 });
    for (const outcome of await waiting) {
      expect(outcome).toMatchObject(UNAVAILABLE);
      expect(outcome.ms).toBeLessThan(20_000);
    }
    for (const [index, pool] of pools.entries()) {
      const outcome = await call(tokens[index] ?? "");
      expect(outcome).toMatchObject(UNAVAILABLE);
      expect(outcome.ms).toBeLessThan(LIMIT_MS);
      expect(askedOf(pool)).toBe(1);
      answers.delete(pool);
    }
    await gateway.advance(10_000);
    for (const token of tokens) expect(await call(token)).toMatchObject({ status: 200 });
  });
});

describe("a set that is old", () => {
  it("serves at once while Cognito is down, up to 24 hours; a stranger's kid is 503 meanwhile", async () => {
    const token = await tokenOf("Stale");
    const unknown = await tokenOf("Stale", key, { kid: "k-new" });
    expect(await call(token)).toMatchObject({ status: 200 });
    expect(await call(unknown)).toMatchObject({ status: 401, code: "invalid_signature" });
    answers.set("Stale", () => undefined); // hangs
    await gateway.advance(11 * 60_000);
    for (let again = 0; again < 3; again += 1) {
      const outcome = await call(token);
      expect(outcome).toMatchObject({ status: 200 });
      expect(outcome.ms).toBeLessThan(LIMIT_MS);
    }
    answers.set("Stale", OUTAGES["Status500"] ?? publish);
    await gateway.advance(60 * 60_000);
    expect(await call(token)).toMatchObject({ status: 200 });
    await vi.waitFor(() => expect(failuresOf("Stale").at(-1)?.["reason"]).toBe("status 500"), 10_000);
    expect(await call(unknown)).toMatchObject(UNAVAILABLE);
    await gateway.advance(24 * 60 * 60_000);
    expect(await call(token)).toMatchObject(UNAVAILABLE);
    answers.delete("Stale");
    await gateway.advance(10_000);
    expect(await call(token)).toMatchObject({ status: 200 });
  });
});

describe("the client is gone during the first fetch", () => {
  it("the fetch goes on for those who wait, and the next request works", async () => {
    answers.set("Gone", (response) => void setTimeout(() => publish(response, {} as IncomingMessage), 600));
    const token = await tokenOf("Gone");
    const first = httpRequest(`${gateway.url}/v1/x`, { headers: { authorization: `Bearer ${token}` } });
    first.on("error", () => undefined);
    first.end();
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(askedOf("Gone")).toBe(1);
    const waiting = [call(token), call(token), call(token)];
    await new Promise((resolve) => setTimeout(resolve, 50));
    first.destroy();
    for (const outcome of await Promise.all(waiting)) {
      expect(outcome).toMatchObject({ status: 200 });
      expect(outcome.ms).toBeLessThan(LIMIT_MS);
    }
    expect(await call(token)).toMatchObject({ status: 200 });
    expect(askedOf("Gone")).toBe(1);
  });
});

describe("a flood of invented kids", () => {
  it("costs Cognito one question in ten seconds, and a key rotated during it is accepted in time", async () => {
    const rotated = await createSigningKey("k2");
    let isRotated = false;
    answers.set("Flood", (response) =>
      json(response, { keys: isRotated ? [key.jwk, rotated.jwk] : [key.jwk] }),
    );
    const known = await tokenOf("Flood");
    expect(await call(known)).toMatchObject({ status: 200 });
    const before = askedOf("Flood");
    const forged = await Promise.all(
      Array.from({ length: 500 }, (_, index) => tokenOf("Flood", key, { kid: `invented-${index}` })),
    );
    const genuine = await tokenOf("Flood", rotated);
    const startedAt = performance.now();
    let firstUseAtSecond: number | undefined;
    let acceptedAtSecond: number | undefined;
    for (let second = 0; second < 60; second += 1) {
      if (second === 13) isRotated = true;
      const wave = forged.slice(Math.floor((second * 500) / 60), Math.floor(((second + 1) * 500) / 60));
      const outcomes = await Promise.all(wave.map(call));
      for (const outcome of outcomes)
        expect(outcome).toMatchObject({ status: 401, code: "invalid_signature" });
      expect(await call(known)).toMatchObject({ status: 200 });
      if (isRotated) {
        firstUseAtSecond ??= second;
        if ((await call(genuine)).status === 200) acceptedAtSecond ??= second;
        else expect(acceptedAtSecond).toBeUndefined();
      }
      await gateway.advance(1_000);
    }
    const seconds = 60 + (performance.now() - startedAt) / 1_000; // the gateway's clock runs on meanwhile
    expect(askedOf("Flood") - before).toBeLessThanOrEqual(Math.ceil(seconds / 10));
    expect((acceptedAtSecond ?? 99) - (firstUseAtSecond ?? 0)).toBeLessThanOrEqual(10);
  });

  it("costs one question in ten seconds where 500 come as fast as they can", async () => {
    expect(await call(await tokenOf("Rotates"))).toMatchObject({ status: 200 });
    await gateway.advance(10_000);
    const before = askedOf("Rotates");
    const forged = await Promise.all(
      Array.from({ length: 500 }, (_, index) => tokenOf("Rotates", key, { kid: `invented-${index}` })),
    );
    const startedAt = performance.now();
    for (let sent = 0; sent < forged.length; sent += 50)
      for (const outcome of await Promise.all(forged.slice(sent, sent + 50).map(call)))
        expect(outcome).toMatchObject({ status: 401, code: "invalid_signature" });
    const asked = askedOf("Rotates") - before;
    expect(asked).toBeGreaterThanOrEqual(1);
    expect(asked).toBeLessThanOrEqual(1 + Math.floor((performance.now() - startedAt) / 10_000));
  });
});
