import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { startOrigin, startServer, type TestServer } from "../support/servers.ts";
import { createSigningKey, idClaims, type SigningKey, sign } from "../support/tokens.ts";
import { eventually, nowSeconds, requestInit } from "./stack.ts";

/** Pools by what their second issuer form answers. */
const POOLS = { Used: 200, Forbidden: 403, Absent: 404, Broken: 500 } as const;
type Pool = keyof typeof POOLS;

const original = (pool: Pool) => `https://cognito-idp.us-east-2.amazonaws.com/us-east-2_${pool}`;
const updated = (pool: Pool) => `https://issuer-cognito-idp.us-east-2.amazonaws.com/us-east-2_${pool}`;

let key: SigningKey;
let amazon: TestServer;
let origin: TestServer;
let gateway: TestGateway;
const answers: Record<string, number> = {};

/** Cognito's real hosts lead to a server of the test; everything else goes where it says. */
const entryWith = (amazonUrl: string) => (policy: string) =>
  `
  import { createWorker } from "./src/index.ts";
  const send = globalThis.fetch;
  const REAL = /^https:\\/\\/((?:issuer-)?cognito-idp)\\.us-east-2\\.amazonaws\\.com/;
  globalThis.fetch = (input, init) =>
    send(typeof input === "string" ? input.replace(REAL, "${amazonUrl}/$1") : input, init);
  export default createWorker(${policy});`;

beforeAll(async () => {
  key = await createSigningKey("k1");
  amazon = await startServer((request, response) => {
    const [, form, pool] =
      /^\/((?:issuer-)?cognito-idp)\/us-east-2_(\w+)\/\.well-known\/jwks\.json$/.exec(request.url ?? "") ??
      [];
    if (form === undefined) return void response.writeHead(400).end();
    const status = form === "cognito-idp" ? 200 : (answers[String(pool)] ?? POOLS[pool as Pool]);
    response.writeHead(status).end(JSON.stringify({ keys: [key.jwk] }));
  });
  origin = await startOrigin();
  gateway = await startGateway({
    policy: { routes: [{ path: "/*" }] },
    entry: entryWith(amazon.url),
    vars: {
      ORIGIN_URL: origin.url,
      USER_POOLS: Object.keys(POOLS).map((pool) => ({ id: `us-east-2_${pool}`, client_ids: ["app-client"] })),
    },
  });
});

afterAll(async () => {
  await Promise.all([gateway, amazon, origin].map((each) => each?.close()));
});

async function outcomeOf(issuer: string): Promise<string> {
  const token = await sign(key, idClaims(issuer, nowSeconds(), { jti: crypto.randomUUID() }));
  const response = await gateway.fetch("/x", requestInit({ token }));
  const body = (await response.json()) as { error?: string };
  return body.error ?? String(response.status);
}
const askedOf = (form: string, pool: Pool): number =>
  amazon.received.filter(({ target }) => target.startsWith(`/${form}/us-east-2_${pool}/`)).length;

describe("a pool whose issuers are not given", () => {
  it("is known by Cognito's original issuer; the second form is not asked for meanwhile, nor by a cron", async () => {
    for (const pool of ["Used", "Forbidden"] as const) expect(await outcomeOf(original(pool))).toBe("200");
    await eventually(async () => {
      const kv = await gateway.kv("JWKS");
      expect(await kv.get(original("Used"))).not.toBeNull();
    });
    await gateway.runCron();
    expect([askedOf("cognito-idp", "Used"), askedOf("issuer-cognito-idp", "Used")]).toEqual([2, 0]);
    expect(askedOf("cognito-idp", "Absent")).toBe(0); // no token has named it, and KV has no entry
  });

  it("is known by the second form where it serves a set", async () => {
    expect(await outcomeOf(updated("Used"))).toBe("200");
    expect(askedOf("issuer-cognito-idp", "Used")).toBe(1);
  });

  it.each(["Forbidden", "Absent"] as const)(
    "does not use the second form where that has never served a set and is %s: invalid_signature, no outage",
    async (pool) => {
      expect(await outcomeOf(updated(pool))).toBe("invalid_signature");
      expect(await outcomeOf(updated(pool))).toBe("invalid_signature");
      expect(askedOf("issuer-cognito-idp", pool)).toBe(1); // no more than once in ten seconds
      expect(await outcomeOf(original(pool))).toBe("200");
    },
  );

  it("has an outage where the second form answers 500", async () => {
    expect(await outcomeOf(updated("Broken"))).toBe("jwks_unavailable");
  });

  it("tells one pool's issuer from another's", async () => {
    expect(await outcomeOf("https://cognito-idp.us-east-2.amazonaws.com/us-east-2_Stranger")).toBe(
      "invalid_signature",
    );
    expect(await outcomeOf(original("Used").replace("us-east-2.", "us-east-1."))).toBe("invalid_signature");
  });
});
