import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { type Config, parseConfig } from "../../../src/core/config.ts";
import { isRefusal } from "../../../src/core/errors.ts";
import { compilePolicy } from "../../../src/core/policy/define.ts";
import { run } from "../../../src/core/steps.ts";
import { createJwks } from "../../../src/core/token/jwks.ts";
import { createVerifiedCache } from "../../../src/core/token/verified-cache.ts";
import {
  recallToken,
  type Verification,
  type Verifier,
  verifyToken,
} from "../../../src/core/token/verify.ts";
import { segment, signRaw } from "../../support/forge.ts";
import { createSigningKey, idClaims, type SigningKey, sign } from "../../support/tokens.ts";
import { createJwksWorld, ISSUER, type JwksWorld, START_MS, unreachable } from "./jwks-world.ts";

const NOW = START_MS / 1000;
const SECOND = "https://cognito.example/us-east-2_B";

let a: SigningKey;
let b: SigningKey;
let world: JwksWorld;
let verifier: Verifier;

beforeAll(async () => {
  [a, b] = await Promise.all([createSigningKey("a"), createSigningKey("b")]);
});

function parsed<T>(result: { ok: true; value: T } | { ok: false; faults: readonly string[] }): T {
  if (!result.ok) throw new Error(result.faults.join("\n"));
  return result.value;
}

const configWith = (...issuers: readonly string[]): Config =>
  parsed(
    parseConfig({
      ORIGIN_URL: "https://origin.example",
      USER_POOLS: issuers.map((issuer, index) => ({
        id: `us-east-2_Pool${index}`,
        client_ids: ["app-client"],
        issuers: [{ issuer, jwks_url: `${issuer}/keys` }],
      })),
    }),
  );

beforeEach(() => {
  world = createJwksWorld([a.jwk]);
  verifier = {
    config: configWith(ISSUER.issuer, SECOND),
    policy: parsed(compilePolicy({ routes: [{ path: "/*" }] })),
    jwks: createJwks(),
    verified: createVerifiedCache(),
  };
});

const verify = async (token: string, by = verifier): Promise<Verification | string> => {
  const recalled = recallToken(token, by, world.sources, world.scope);
  const outcome = recalled ?? (await run(verifyToken(token, by, world.sources, world.scope)));
  return isRefusal(outcome) ? outcome.code : outcome;
};

/** The layer of a token that verifies, or the code of its refusal. */
const outcomeOf = async (token: string, by = verifier): Promise<string> => {
  const outcome = await verify(token, by);
  return typeof outcome === "string" ? outcome : outcome.layer;
};

const HEADER = { alg: "RS256", kid: "a" };
const claims = (overrides: Record<string, unknown> = {}): Record<string, unknown> =>
  idClaims(ISSUER.issuer, NOW, overrides);

describe("tokens that are verified at the same time", () => {
  afterEach(() => vi.restoreAllMocks());

  const check = crypto.subtle.verify.bind(crypto.subtle);
  const WAITS: [string, () => Promise<unknown>][] = [
    ["a moment later", () => Promise.resolve()],
    ["much later", () => new Promise((resolve) => setTimeout(resolve, 5))],
  ];
  /** Forty tokens at once, each of another length, every other one with a signature that does not hold. */
  async function expectOwnVerdicts(by: () => Verifier): Promise<void> {
    const tokens = await Promise.all(
      Array.from({ length: 40 }, async (_, index) => {
        const token = await sign(a, claims({ sub: `person-${index}`, pad: "x".repeat(index * 20) }));
        return index % 2 === 0 ? token : `${token.slice(0, -10)}${"A".repeat(10)}`;
      }),
    );
    for (let round = 0; round < 2; round += 1) {
      const verifies = by();
      const outcomes = await Promise.all(tokens.map((token) => verify(token, verifies)));
      for (const [index, outcome] of outcomes.entries())
        if (index % 2 === 1) expect(outcome).toBe("invalid_signature");
        else expect(outcome).toMatchObject({ token: { principal: { sub: `person-${index}` } } });
    }
  }

  it.each([["at once", undefined] as const, ...WAITS])(
    "are each judged by their own bytes, looked into %s",
    async (_when, wait) => {
      await verify(await sign(a, claims())); // from here on the key is at hand, and nothing waits before the check
      if (wait !== undefined)
        vi.spyOn(crypto.subtle, "verify").mockImplementation(async (...given) => {
          await wait();
          return check(...given);
        });
      await expectOwnVerdicts(() => ({ ...verifier, verified: createVerifiedCache() }));
    },
  );

  it("are each judged by their own bytes where all of them wait for the key", () =>
    expectOwnVerdicts(() => ({ ...verifier, jwks: createJwks(), verified: createVerifiedCache() })));

  it("do not suffer from a check that has thrown", async () => {
    const token = await sign(a, claims());
    vi.spyOn(crypto.subtle, "verify").mockRejectedValueOnce(new Error("broken"));
    await expect(verify(token)).rejects.toThrow("broken");
    expect(await verify(token)).toMatchObject({ layer: "memory" });
  });
});

describe("a token that verifies", () => {
  it("tells its issuer, pool, kid, key and principal, and where its key was found", async () => {
    const verification = await verify(await sign(a, claims()));
    const pool = verifier.config.pools[0];
    expect(verification).toEqual({
      layer: "origin",
      token: {
        issuer: ISSUER.issuer,
        pool,
        kid: "a",
        key: expect.any(CryptoKey),
        principal: expect.objectContaining({ caller: "user", sub: claims()["sub"], tenantClaim: "acme" }),
        isPlain: true,
      },
    });
  });

  it("tells whether its claims have to be encoded for a header", async () => {
    const verification = await verify(await sign(a, claims({ "cognito:username": "Zoë" })));
    expect(verification).toMatchObject({ token: { isPlain: false, principal: { username: "Zoë" } } });
  });

  it("belongs to the pool of its very issuer", async () => {
    const verification = await verify(await sign(a, idClaims(SECOND, NOW)));
    expect(verification).toMatchObject({ token: { issuer: SECOND, pool: { id: "us-east-2_Pool1" } } });
    expect(world.urls).toEqual([`${SECOND}/keys`]);
  });

  it("is not looked at for time, audience or the value of token_use", async () => {
    for (const overrides of [{ exp: 1 }, { iat: NOW + 9_999 }, { aud: "stranger" }, { token_use: "refresh" }])
      expect(await outcomeOf(await sign(a, claims(overrides)))).not.toBe("invalid_claims");
  });
});

describe("the order of refusals", () => {
  it("is form, then issuer, alg, kid and crit without a question to anybody", async () => {
    for (const [token, code] of [
      ["no token", "malformed_token"],
      [`${segment({ ...HEADER, alg: "none" })}.${segment("[]")}.AAAA`, "malformed_token"],
      [await signRaw(a, { ...HEADER, alg: "RS384" }, claims()), "invalid_signature"],
      [await signRaw(a, { kid: "a" }, claims()), "invalid_signature"],
      [await signRaw(a, { alg: "RS256" }, claims()), "invalid_signature"],
      [await signRaw(a, { ...HEADER, kid: 7 }, claims()), "invalid_signature"],
      [await signRaw(a, { ...HEADER, crit: [] }, claims()), "invalid_signature"],
      [
        await signRaw(a, { ...HEADER, crit: undefined }, claims({ iss: "https://evil.example" })),
        "invalid_signature",
      ],
      [await signRaw(a, HEADER, claims({ iss: undefined })), "invalid_signature"],
      [await signRaw(a, HEADER, claims({ iss: [ISSUER.issuer] })), "invalid_signature"],
      [await signRaw(a, HEADER, claims({ iss: `${ISSUER.issuer}/` })), "invalid_signature"],
    ] as const)
      expect(await outcomeOf(token)).toBe(code);
    expect(world.asked).toEqual([]);
    expect(world.cache.gets).toEqual([]);
  });

  it("asks for keys before it looks at a claim: jwks_unavailable comes before invalid_claims", async () => {
    world.onFetch = unreachable;
    expect(await outcomeOf(await sign(a, claims({ sub: undefined })))).toBe("jwks_unavailable");
  });

  it("is the signature before the claims", async () => {
    const forged = await sign({ ...b, kid: "a" }, claims({ sub: undefined, exp: "soon" }));
    expect(await outcomeOf(forged)).toBe("invalid_signature");
    expect(await outcomeOf(await sign(a, claims({ sub: undefined })))).toBe("invalid_claims");
    expect(await outcomeOf(await sign(a, claims({ exp: "soon" })))).toBe("invalid_claims");
  });

  it("takes an unknown kid of a known issuer for invalid_signature", async () => {
    expect(await outcomeOf(await sign(b, claims()))).toBe("invalid_signature");
  });

  it("takes no member that only a prototype holds", async () => {
    for (const name of ["alg", "kid", "iss"] as const) {
      Object.defineProperty(Object.prototype, name, {
        value: { alg: "RS256", kid: "a", iss: ISSUER.issuer }[name],
        configurable: true,
      });
      try {
        const token = await signRaw(
          a,
          JSON.stringify({ ...HEADER, [name]: undefined }),
          JSON.stringify(claims({ [name]: undefined })),
        );
        expect(await outcomeOf(token)).toBe("invalid_signature");
      } finally {
        delete (Object.prototype as Record<string, unknown>)[name];
      }
    }
  });

  it("takes a token's own members, whatever every other object has, too", async () => {
    const critical = await signRaw(a, JSON.stringify({ ...HEADER, crit: "x" }), JSON.stringify(claims()));
    for (const [name, value] of Object.entries({ ...HEADER, iss: ISSUER.issuer, crit: "x" }))
      for (const inherited of [value, "another"]) {
        const good = await sign(a, claims({ jti: `${name} ${inherited}` })); // never seen before
        Object.defineProperty(Object.prototype, name, { value: inherited, configurable: true });
        try {
          expect(await outcomeOf(good), name).toMatch(/^(?:origin|memory)$/);
          expect(await outcomeOf(critical), name).toBe("invalid_signature");
        } finally {
          delete (Object.prototype as Record<string, unknown>)[name];
        }
      }
  });
});

describe("a token that was seen before", () => {
  it("is known without a wait, and with the same facts", async () => {
    const token = await sign(a, claims());
    const first = await verify(token);
    const second = recallToken(token, verifier, world.sources, world.scope);
    expect(second).toEqual({ ...(first as Verification), layer: "memory" });
    expect(second).toHaveProperty("token", (first as Verification).token);
  });

  it("is refused once its key was withdrawn, from the very fetch on that brought the news", async () => {
    const token = await sign(a, claims());
    expect(await outcomeOf(token)).toBe("origin");
    await world.scope.advance(10_000);
    world.keys = [b.jwk];
    expect(await outcomeOf(await sign(b, claims()))).toBe("origin");
    expect(await outcomeOf(token)).toBe("invalid_signature");
    expect(await outcomeOf(token)).toBe("invalid_signature");
  });

  it("is refused once its kid is another key", async () => {
    const token = await sign(a, claims());
    await outcomeOf(token);
    await world.scope.advance(600_000);
    world.keys = [{ ...b.jwk, kid: "a" }];
    expect(await outcomeOf(await sign(b, claims()))).toBe("invalid_signature"); // asks Cognito
    expect(await outcomeOf(token)).toBe("invalid_signature");
    expect(await outcomeOf(await sign({ ...b, kid: "a" }, claims()))).toBe("memory");
  });

  it("is accepted again, verified anew, where its key comes back", async () => {
    const token = await sign(a, claims());
    await outcomeOf(token);
    for (const keys of [[b.jwk], [a.jwk, b.jwk]]) {
      await world.scope.advance(10_000);
      world.keys = keys;
      await outcomeOf(await sign({ ...b, kid: "x" }, claims())); // asks Cognito
    }
    expect(await outcomeOf(token)).toBe("memory");
  });

  it("is an outage, not a 401, while its key can be neither confirmed nor denied", async () => {
    const token = await sign(a, claims({ exp: NOW + 90_000 }));
    const verification = await verify(token);
    if (typeof verification === "string") throw new Error(verification);
    await world.scope.settled();
    world.onFetch = unreachable;
    verifier.verified.set(token, verification.token, START_MS + 86_400_000);
    await world.scope.advance(86_400_000);
    expect(await outcomeOf(token)).toBe("jwks_unavailable");
  });

  it("is not believed under a configuration that has dropped its issuer", async () => {
    const token = await sign(a, claims());
    await outcomeOf(token);
    expect(await outcomeOf(token, { ...verifier, config: configWith(SECOND) })).toBe("invalid_signature");
    expect(verifier.verified.get(token, START_MS)).toBeUndefined();
  });

  it("is verified anew after 5 minutes", async () => {
    const token = await sign(a, claims());
    await outcomeOf(token);
    await world.scope.advance(300_000);
    expect(recallToken(token, verifier, world.sources, world.scope)).toBeUndefined();
    expect(await outcomeOf(token)).toBe("memory");
  });

  it("is held only if it verified", async () => {
    for (const token of [
      await sign({ ...b, kid: "a" }, claims()),
      await sign(a, claims({ sub: undefined })),
      await sign(b, claims()),
    ]) {
      await outcomeOf(token);
      expect(verifier.verified.get(token, START_MS)).toBeUndefined();
    }
  });
});
