import { beforeAll, describe, expect, it } from "vitest";
import { createDecider } from "../support/decide.ts";
import { accessClaims, createSigningKey, type SigningKey, sign } from "../support/tokens.ts";
import {
  type Attempt,
  deciderOf,
  explain,
  ISSUER,
  machineAttempt,
  NOW,
  personAttempt,
  personFaults,
  revoking,
  withClaim,
  withHeader,
  withSources,
} from "./authorize-world.ts";

let key: SigningKey;
let stranger: SigningKey;

beforeAll(async () => {
  [key, stranger] = await Promise.all([createSigningKey("k"), createSigningKey("s")]);
});

const TOKEN_STEPS = ["time", "token_use", "audience", "revocation", "caller"];
const RIGHTS = ["role", "scopes", "groups", "tenant_rate_limit"];
const ALL = ["path", "route", "token_present", "signature", ...TOKEN_STEPS, "tenant", ...RIGHTS, "forward"];

/** The steps up to the one that refuses, which is told with its code. */
const until = (step: string, code: string): string[] => [
  ...ALL.slice(0, ALL.indexOf(step)),
  `${step} ${code}`,
];

describe("the steps that are observed", () => {
  it("are all of them where a caller is let in, person or machine", async () => {
    expect((await explain(personAttempt(key), key)).steps).toEqual(ALL);
    expect((await explain(machineAttempt(key), key)).steps).toEqual(ALL);
  });

  it("end with the one that refuses", async () => {
    const steps: Record<string, readonly [string, string] | undefined> = {
      invalid_path: ["path", "invalid_path"],
      route_not_found: ["route", "route_not_found"],
      missing_token: ["token_present", "missing_token"],
      malformed_token: ["signature", "malformed_token"],
      invalid_signature: ["signature", "invalid_signature"],
      invalid_claims: ["signature", "invalid_claims"],
      token_expired: ["time", "token_expired"],
      token_not_yet_valid: ["time", "token_not_yet_valid"],
      invalid_token_use: ["token_use", "invalid_token_use"],
      invalid_audience: ["audience", "invalid_audience"],
      token_revoked: ["revocation", "token_revoked"],
      caller_not_allowed: ["caller", "caller_not_allowed"],
      missing_tenant_claim: ["tenant", "missing_tenant_claim"],
      tenant_mismatch: ["tenant", "tenant_mismatch"],
      insufficient_role: ["role", "insufficient_role"],
      insufficient_scope: ["scopes", "insufficient_scope"],
      insufficient_group: ["groups", "insufficient_group"],
      rate_limited: ["tenant_rate_limit", "rate_limited"],
      headers_too_large: ["forward", "headers_too_large"],
    };
    for (const { code, spoil } of personFaults(stranger)) {
      const known = steps[code];
      const expected = known === undefined ? ["method method_not_allowed"] : until(...known);
      expect((await explain(spoil(personAttempt(key)), key)).steps).toEqual(expected);
    }
  });

  it("are the rate limit and forwarding on a public route", async () => {
    const open = { ...personAttempt(key), area: "open" };
    expect((await explain(open, key)).steps).toEqual(["path", "route", "public_rate_limit", "forward"]);
    const limited = withSources({ publicRateLimit: async () => false })(open);
    expect((await explain(limited, key)).steps).toEqual(["path", "route", "public_rate_limit rate_limited"]);
  });

  it("are one and the same refusal for a denied route", async () => {
    const denied = { ...personAttempt(key), area: "denied" };
    expect((await explain(denied, key)).steps).toEqual(["path", "route route_denied"]);
  });

  it("go on to forwarding where a refusal is only reported", async () => {
    const reported = { ...personAttempt(key), area: "reported", authorization: undefined };
    expect((await explain(reported, key)).steps).toEqual([
      ...until("token_present", "missing_token"),
      "forward",
    ]);
  });

  it("are the preflight, or the own endpoint, that answered, and the refusal of one that did not", async () => {
    const decider = deciderOf(personAttempt(key), key);
    const headers = { origin: "https://app.example", "access-control-request-method": "GET" };
    const preflight = await decider.explain({ method: "OPTIONS", headers });
    expect(preflight.steps).toEqual(["path", "preflight"]);
    const url = "https://api.example/.well-known/oauth-protected-resource";
    expect((await decider.explain({ url })).steps).toEqual(["path", "own_endpoint"]);
    expect((await decider.explain({ url, method: "POST" })).steps).toEqual([
      "path",
      "own_endpoint route_not_found",
    ]);
  });
});

describe("what is known of a token", () => {
  const KNOWN = ["caller", "sub", "client_id", "kid", "token_use", "jwks", "tenant"] as const;
  const told = async (attempt: Attempt): Promise<Record<string, unknown>> => {
    const { record } = await explain(attempt, key);
    return Object.fromEntries(
      KNOWN.map((name) => [name, record[name]]).filter(([, value]) => value !== undefined),
    );
  };

  it("is nothing before its signature holds and its claims are typed", async () => {
    for (const { code, spoil } of personFaults(stranger).slice(0, 7)) {
      expect(await told(spoil(personAttempt(key)))).toEqual({});
      expect(code).toMatch(
        /^(?:method|invalid_path|route|missing|malformed|invalid_signature|invalid_claims)/,
      );
    }
  });

  it("is all but its tenant until that is verified", async () => {
    for (const { spoil } of personFaults(stranger).slice(7, 16)) {
      const known = await told(spoil(personAttempt(key)));
      expect(known).toMatchObject({ kid: "k", jwks: "origin", sub: personAttempt(key).claims["sub"] });
      expect(known).not.toHaveProperty("tenant");
    }
  });

  it("is its tenant too from step 15 on", async () => {
    for (const { spoil } of personFaults(stranger).slice(16))
      expect(await told(spoil(personAttempt(key)))).toHaveProperty("tenant", "acme");
  });

  it("is complete for a machine, whose tenant is the one that its list holds", async () => {
    expect(await told(machineAttempt(key))).toEqual({
      caller: "m2m",
      sub: "machine-1",
      client_id: "machine-1",
      kid: "k",
      token_use: "access",
      jwks: "origin",
      tenant: "acme",
    });
  });

  it("is nothing on a public route, whatever is sent", async () => {
    expect(await told({ ...personAttempt(key), area: "open" })).toEqual({});
  });

  it("is nothing in any answer but a code: no header, no body, no scope that the token has", async () => {
    for (const { spoil } of personFaults(stranger)) {
      const { decision } = await explain(spoil(personAttempt(key)), key);
      if (decision.kind !== "refuse") throw new Error("not refused");
      const { code, scopes, ...rest } = decision.refusal;
      expect(rest).toEqual({});
      expect(scopes).toEqual(code === "insufficient_scope" ? ["read", "write"] : undefined);
    }
  });

  it("names the machine's own scope where that is missing, and the route's where those are", async () => {
    const scopesOf = async (scope: string): Promise<unknown> =>
      (await explain(withClaim("scope", scope)(machineAttempt(key)), key)).decision;
    expect(await scopesOf("read")).toEqual({
      kind: "refuse",
      refusal: { code: "insufficient_scope", scopes: ["zen/m2m"] },
    });
    expect(await scopesOf("zen/m2m")).toEqual({
      kind: "refuse",
      refusal: { code: "insufficient_scope", scopes: ["read", "write"] },
    });
  });
});

describe("the rate limits", () => {
  function counting(): { keys: string[]; limit: (key: string) => Promise<boolean> } {
    const keys: string[] = [];
    return {
      keys,
      limit: async (limitKey) => {
        keys.push(limitKey);
        return true;
      },
    };
  }

  it("of public routes are asked once, by the client's address, and those of tenants not at all", async () => {
    const [byClient, byTenant] = [counting(), counting()];
    const sources = withSources({ publicRateLimit: byClient.limit, tenantRateLimit: byTenant.limit });
    const open = { ...personAttempt(key), area: "open" };
    expect((await explain(sources(open), key)).outcome).toBe("forward");
    expect(byClient.keys).toEqual(["203.0.113.7"]);
    expect(byTenant.keys).toEqual([]);
  });

  it("of public routes count clients without an address as one", async () => {
    const { keys, limit } = counting();
    const open = { ...personAttempt(key), area: "open", clientIp: undefined };
    await explain(withSources({ publicRateLimit: limit })(open), key);
    expect(keys).toEqual(["unknown"]);
  });

  it("of authenticated routes are asked once, by the verified tenant, and those of clients not at all", async () => {
    for (const attempt of [personAttempt(key), machineAttempt(key)]) {
      const [byClient, byTenant] = [counting(), counting()];
      const sources = { publicRateLimit: byClient.limit, tenantRateLimit: byTenant.limit };
      await explain({ ...attempt, sources }, key);
      expect(byTenant.keys).toEqual(["acme"]);
      expect(byClient.keys).toEqual([]);
    }
  });

  it("are not asked for a request that is refused before", async () => {
    for (const { spoil } of personFaults(stranger).slice(0, 19)) {
      const { keys, limit } = counting();
      const sources = withSources({ publicRateLimit: limit, tenantRateLimit: limit });
      await explain(sources(spoil(personAttempt(key))), key);
      expect(keys).toEqual([]);
    }
  });

  it("limit nobody where they are not bound", async () => {
    expect((await explain(personAttempt(key), key)).outcome).toBe("forward");
    expect((await explain({ ...personAttempt(key), area: "open" }, key)).outcome).toBe("forward");
  });

  it("of tenants are not asked for a caller who has none, where the route needs none", async () => {
    const { keys, limit } = counting();
    const decider = createDecider({
      pools: [{ issuer: ISSUER, keys: () => [key.jwk] }],
      sources: { tenantRateLimit: limit },
      now: () => NOW * 1000,
    });
    const outcomeOf = async (tenant: string | undefined): Promise<string> =>
      decider.outcome(await sign(key, accessClaims(ISSUER, NOW, { "custom:tenant_id": tenant })));
    expect(await outcomeOf(undefined)).toBe("forward");
    expect(keys).toEqual([]);
    expect(await outcomeOf("acme")).toBe("forward");
    expect(keys).toEqual(["acme"]);
  });
});

describe("revocation", () => {
  const outcomeOf = async (attempt: Attempt, kind: string, value: unknown): Promise<string> =>
    (await explain(withSources({ listRevocations: revoking(kind, value) })(attempt), key)).outcome;

  it("refuses a person by each of six values of the token", async () => {
    const attempt = personAttempt(key);
    const { jti, origin_jti, sub, client_id } = attempt.claims;
    for (const [kind, value] of Object.entries({
      jti,
      origin_jti,
      sub,
      client: client_id,
      tenant: "acme",
      kid: "k",
    })) {
      expect(await outcomeOf(attempt, kind, value)).toBe("token_revoked");
      expect(await outcomeOf(attempt, kind, `${value}-other`)).toBe("forward");
    }
  });

  it("refuses a machine by the tenant of its header, allowed to it or not", async () => {
    const attempt = machineAttempt(key);
    expect(await outcomeOf(attempt, "tenant", "acme")).toBe("token_revoked");
    expect(await outcomeOf(attempt, "tenant", "globex")).toBe("forward");
    expect(await outcomeOf(attempt, "client", "machine-1")).toBe("token_revoked");
    expect(await outcomeOf({ ...attempt, headers: {} }, "tenant", "acme")).toBe("missing_tenant_header");
    expect(await outcomeOf(withClaim("custom:tenant_id", "globex")(attempt), "tenant", "globex")).toBe(
      "forward",
    );
  });

  it("takes a person's tenant from the claim, not from the header", async () => {
    const attempt = withHeader("x-tenant-id", "globex")(personAttempt(key));
    expect(await outcomeOf(attempt, "tenant", "globex")).toBe("tenant_mismatch");
    expect(await outcomeOf(attempt, "tenant", "acme")).toBe("token_revoked");
  });

  it("is our outage where no list was ever read", async () => {
    const listRevocations = () => Promise.reject(new Error("down"));
    expect((await explain(withSources({ listRevocations })(personAttempt(key)), key)).outcome).toBe(
      "revocations_unavailable",
    );
  });

  it("is not looked at where it is not bound, nor on public routes", async () => {
    expect((await explain(personAttempt(key), key)).outcome).toBe("forward");
    expect(await outcomeOf({ ...personAttempt(key), area: "open" }, "kid", "k")).toBe("forward");
  });
});
