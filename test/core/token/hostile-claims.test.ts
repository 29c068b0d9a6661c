import { beforeAll, describe, expect, it } from "vitest";
import { createDecider, type Decider } from "../../support/decide.ts";
import { signRaw } from "../../support/forge.ts";
import {
  accessClaims,
  createSigningKey,
  idClaims,
  machineClaims,
  type SigningKey,
  sign,
} from "../../support/tokens.ts";

const NOW = 1_800_000_000;
const A = "https://cognito.example/us-east-2_A";
const B = "https://cognito.example/us-east-2_B";
const HEADER = { kid: "k1", alg: "RS256" };

let key: SigningKey;
let keyOfB: SigningKey;
let twinOfB: SigningKey;
let decider: Decider;

beforeAll(async () => {
  [key, keyOfB, twinOfB] = await Promise.all(
    ["k1", "b1", "k1"].map((kid) => createSigningKey(kid)) as [
      Promise<SigningKey>,
      Promise<SigningKey>,
      Promise<SigningKey>,
    ],
  );
  decider = createDecider({
    pools: [
      { issuer: A, clientIds: ["app-client"], keys: () => [key.jwk] },
      { issuer: B, clientIds: ["client-of-b"], keys: () => [keyOfB.jwk, twinOfB.jwk] },
    ],
    now: () => NOW * 1000,
  });
});

/** A token of whose payload one member is written as this very text. */
const withText = (name: string, text: string): Promise<string> =>
  signRaw(key, HEADER, JSON.stringify(idClaims(A, NOW, { [name]: "@" })).replace('"@"', text));

describe("time claims", () => {
  const WRONG = [
    '"1900000000"',
    '"soon"',
    '""',
    "null",
    "true",
    "false",
    "[]",
    "[1900000000]",
    "{}",
    "1e999",
    "-1e999",
  ];
  for (const name of ["exp", "iat", "nbf"])
    for (const text of WRONG)
      it(`refuses ${name} ${text} as invalid claims`, async () => {
        expect(await decider.outcome(await withText(name, text))).toBe("invalid_claims");
      });

  for (const name of ["exp", "iat", "nbf"])
    it(`refuses ${name} NaN as no JSON`, async () => {
      expect(await decider.outcome(await withText(name, "NaN"))).toBe("malformed_token");
      expect(await decider.outcome(await withText(name, '"NaN"'))).toBe("invalid_claims");
    });

  const EXP: readonly (readonly [string, string])[] = [
    ["0", "token_expired"],
    ["-0", "token_expired"],
    ["-1", "token_expired"],
    ["-1e308", "token_expired"],
    ["5e-324", "token_expired"],
    [`${NOW - 1}`, "token_expired"],
    [`${NOW}`, "token_expired"],
    [`${NOW}.0`, "token_expired"],
    [`${NOW}.001`, "forward"],
    [`${NOW - 1}.999`, "token_expired"],
    [`${NOW + 1}`, "forward"],
    [`${NOW + 1}e0`, "forward"],
    ["1.9e9", "forward"],
    ["9007199254740993", "forward"],
    ["1e308", "forward"],
  ];
  for (const [text, outcome] of EXP)
    it(`exp ${text}: ${outcome}`, async () => {
      expect(await decider.outcome(await withText("exp", text))).toBe(outcome);
    });

  for (const name of ["iat", "nbf"])
    for (const [text, outcome] of [
      ["0", "forward"],
      ["-1", "forward"],
      ["-1e308", "forward"],
      [`${NOW}`, "forward"],
      [`${NOW}.001`, "token_not_yet_valid"],
      [`${NOW + 1}`, "token_not_yet_valid"],
      ["1e308", "token_not_yet_valid"],
    ] as const)
      it(`${name} ${text}: ${outcome}`, async () => {
        expect(await decider.outcome(await withText(name, text))).toBe(outcome);
      });

  it("keeps exp and iat apart: tolerance for one is none for the other", async () => {
    const lenient = createDecider({
      pools: [{ issuer: A, keys: () => [key.jwk] }],
      vars: { EXP_TOLERANCE_SECONDS: 60, SKEW_TOLERANCE_SECONDS: 30 },
      now: () => NOW * 1000,
    });
    const at = async (name: string, time: number): Promise<string> =>
      lenient.outcome(await sign(key, idClaims(A, NOW, { [name]: time })));
    expect(await at("exp", NOW - 59)).toBe("forward");
    expect(await at("exp", NOW - 60)).toBe("token_expired");
    expect(await at("iat", NOW + 30)).toBe("forward");
    expect(await at("iat", NOW + 31)).toBe("token_not_yet_valid");
    expect(await at("nbf", NOW + 30)).toBe("forward");
    expect(await at("nbf", NOW + 31)).toBe("token_not_yet_valid");
  });
});

describe("required claims", () => {
  for (const name of ["exp", "iat", "sub", "token_use"])
    it(`refuses a token without ${name}`, async () => {
      expect(await decider.outcome(await sign(key, idClaims(A, NOW, { [name]: undefined })))).toBe(
        "invalid_claims",
      );
    });

  for (const name of ["sub", "token_use"])
    for (const value of [null, 1, true, [], {}, ["id"], { toString: "id" }])
      it(`refuses ${name} ${JSON.stringify(value)}`, async () => {
        expect(await decider.outcome(await sign(key, idClaims(A, NOW, { [name]: value })))).toBe(
          "invalid_claims",
        );
      });

  it("refuses an empty sub", async () => {
    expect(await decider.outcome(await sign(key, idClaims(A, NOW, { sub: "" })))).toBe("invalid_claims");
  });

  for (const tokenUse of [
    "",
    "ID",
    "Id",
    "id ",
    " id",
    "refresh",
    "id\u0000",
    "access ",
    "__proto__",
    "аccess",
  ])
    it(`refuses token_use ${JSON.stringify(tokenUse)}`, async () => {
      expect(await decider.outcome(await sign(key, idClaims(A, NOW, { token_use: tokenUse })))).toBe(
        "invalid_token_use",
      );
    });
});

describe("ID and access tokens", () => {
  const outcome = async (claims: Record<string, unknown>): Promise<string> =>
    decider.outcome(await sign(key, claims));

  it("accepts both, each with the claims of its kind", async () => {
    expect(await outcome(idClaims(A, NOW))).toBe("forward");
    expect(await outcome(accessClaims(A, NOW))).toBe("forward");
  });

  it("looks at aud of an ID token only, and at client_id of an access token only", async () => {
    for (const claims of [
      idClaims(A, NOW, { aud: undefined, client_id: "app-client" }),
      idClaims(A, NOW, { aud: "evil", client_id: "app-client" }),
      idClaims(A, NOW, { token_use: "access" }),
      accessClaims(A, NOW, { token_use: "id" }),
      accessClaims(A, NOW, { client_id: undefined, aud: "app-client" }),
      accessClaims(A, NOW, { client_id: "evil", aud: "app-client" }),
    ])
      expect(await outcome(claims)).toBe("invalid_audience");
  });

  it("refuses an audience of any other type or spelling", async () => {
    for (const value of [
      null,
      1,
      "",
      "APP-CLIENT",
      "app-client ",
      "app-client,evil",
      ["app-client"],
      ["app-client", "evil"],
      { 0: "app-client" },
      true,
      "__proto__",
    ]) {
      expect(await outcome(idClaims(A, NOW, { aud: value }))).toBe("invalid_audience");
      expect(await outcome(accessClaims(A, NOW, { client_id: value }))).toBe("invalid_audience");
    }
  });

  it("takes nobody for a machine who has a username, another sub, or an ID token", async () => {
    const claims = machineClaims(A, NOW);
    expect(await outcome(claims)).toBe("forward");
    for (const overrides of [
      { username: "ada" },
      { username: "" },
      { username: null },
      { username: false },
      { sub: "other" },
      { sub: "Machine-1" },
    ])
      expect(await outcome({ ...claims, ...overrides })).toBe("invalid_audience");
    expect(await outcome({ ...claims, token_use: "id" })).toBe("invalid_audience");
    expect(await outcome({ ...claims, token_use: "id", aud: "machine-1" })).toBe("invalid_audience");
  });

  it("gives a machine neither tenant nor role from its claims", async () => {
    const token = await sign(
      key,
      machineClaims(A, NOW, { "custom:tenant_id": "acme", "custom:role": "admin", "cognito:groups": ["x"] }),
    );
    const decision = await decider.decide({ headers: { authorization: token } });
    const headers = decision.kind === "forward" ? Object.fromEntries(decision.upstream.headers.set) : {};
    expect(headers["x-auth-caller"]).toBe("m2m");
    expect(headers).not.toHaveProperty("x-tenant-id");
    expect(headers).not.toHaveProperty("x-auth-tenant-id");
    expect(headers).not.toHaveProperty("x-auth-role");
  });

  it("refuses the kind that a route does not take", async () => {
    const strict = createDecider({
      pools: [{ issuer: A, keys: () => [key.jwk] }],
      policy: { routes: [{ path: "/*", tokenUse: ["access"], callers: ["user"], tenant: false }] },
      now: () => NOW * 1000,
    });
    expect(await strict.outcome(await sign(key, idClaims(A, NOW)))).toBe("invalid_token_use");
    expect(await strict.outcome(await sign(key, accessClaims(A, NOW)))).toBe("forward");
    expect(await strict.outcome(await sign(key, machineClaims(A, NOW)))).toBe("caller_not_allowed");
  });
});

describe("issuers", () => {
  const ofB = (overrides: Record<string, unknown> = {}) =>
    idClaims(B, NOW, { aud: "client-of-b", ...overrides });

  it("accepts each pool's own keys", async () => {
    expect(await decider.outcome(await sign(key, idClaims(A, NOW)))).toBe("forward");
    expect(await decider.outcome(await sign(keyOfB, ofB()))).toBe("forward");
    expect(await decider.outcome(await sign(twinOfB, ofB()))).toBe("forward");
  });

  it("refuses one pool's key under another's issuer, also where both have that kid", async () => {
    for (let round = 0; round < 2; round += 1) {
      expect(await decider.outcome(await sign(keyOfB, idClaims(A, NOW)))).toBe("invalid_signature");
      expect(await decider.outcome(await sign(twinOfB, idClaims(A, NOW)))).toBe("invalid_signature");
      expect(await decider.outcome(await sign(key, ofB()))).toBe("invalid_signature");
      expect(await decider.outcome(await sign(key, ofB(), { kid: "b1" }))).toBe("invalid_signature");
    }
  });

  it("refuses a client of one pool with a token of another", async () => {
    expect(await decider.outcome(await sign(key, idClaims(A, NOW, { aud: "client-of-b" })))).toBe(
      "invalid_audience",
    );
    expect(await decider.outcome(await sign(keyOfB, ofB({ aud: "app-client" })))).toBe("invalid_audience");
  });

  const SPELLINGS: readonly unknown[] = [
    `${A}/`,
    `${A} `,
    ` ${A}`,
    A.toUpperCase(),
    A.replace("https:", "http:"),
    A.replace("https:", "HTTPS:"),
    A.replace(".example", ".example:443"),
    A.replace(".example", ".example."),
    A.replace("us-east-2", "us-east-1"),
    `${A}/.well-known`,
    `${A}#`,
    `${A}?`,
    `${A}\u0000`,
    A.replace("//", "//user@"),
    `${A},${B}`,
    [A],
    [A, B],
    { 0: A },
    null,
    1,
    "",
    "__proto__",
    undefined,
  ];
  for (const iss of SPELLINGS)
    it(`refuses iss ${JSON.stringify(iss)?.slice(0, 60)}`, async () => {
      const fetches = decider.fetched.length;
      expect(await decider.outcome(await sign(key, idClaims(A, NOW, { iss })))).toBe("invalid_signature");
      expect(decider.fetched.length).toBe(fetches); // nobody is asked for the keys of a stranger
    });
});

describe("before the signature holds", () => {
  it("tells a forger nothing about its claims", async () => {
    const forger = await createSigningKey("k1");
    for (const overrides of [
      { exp: 1 },
      { exp: "x" },
      { sub: undefined },
      { token_use: "refresh" },
      { aud: "evil" },
      { nbf: NOW + 999 },
      { "custom:tenant_id": undefined },
    ])
      expect(await decider.outcome(await sign(forger, idClaims(A, NOW, overrides)))).toBe(
        "invalid_signature",
      );
  });
});
