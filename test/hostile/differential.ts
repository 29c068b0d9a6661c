import { createHmac, createPrivateKey, createSign, type KeyObject } from "node:crypto";
import fc from "fast-check";
import { base64url, createLocalJWKSet, exportJWK, exportPKCS8, type JWK, jwtVerify } from "jose";
import { createDecider, type Decider } from "../support/decide.ts";
import {
  accessClaims,
  createSigningKey,
  idClaims,
  machineClaims,
  type SigningKey,
} from "../support/tokens.ts";

const NOW = 1_800_000_000;
const A = "https://cognito.example/us-east-2_A";
const B = "https://cognito.example/us-east-2_B";
const CLIENT_IDS = ["app-client", "other-client"];
const TOLERANCE_SECONDS = 30;
const encoder = new TextEncoder();

/** What can be read from a token without any library, as far as it can. */
interface Anatomy {
  readonly token: string;
  readonly segments: readonly string[];
  readonly headerBytes: Uint8Array;
  readonly payloadBytes: Uint8Array;
  readonly header: Readonly<Record<string, unknown>>;
  readonly claims: Readonly<Record<string, unknown>>;
}

/** A case in which we refuse what jose accepts: our code, and what of the token it has to be about. */
interface Rule {
  readonly name: string;
  readonly code: string;
  readonly applies: (anatomy: Anatomy) => boolean;
}

const startsWithBom = (bytes: Uint8Array): boolean =>
  bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
const isText = (value: unknown): boolean => typeof value === "string" && value !== "";

/** Every rule by which this gateway is stricter than jose. A refusal that none of them explains is a fault. */
export const STRICTER_RULES: readonly Rule[] = [
  {
    name: "a token has at most 8,192 characters",
    code: "malformed_token",
    applies: ({ token }) => token.length > 8192,
  },
  {
    name: "base64url has one spelling: no padding, no blanks, no bits that no byte uses",
    code: "malformed_token",
    applies: ({ segments }) =>
      segments.some((text) => Buffer.from(text, "base64url").toString("base64url") !== text),
  },
  {
    name: "JSON does not begin with a byte order mark",
    code: "malformed_token",
    applies: ({ headerBytes, payloadBytes }) => startsWithBom(headerBytes) || startsWithBom(payloadBytes),
  },
  {
    name: "crit is never understood",
    code: "invalid_signature",
    applies: ({ header }) => Object.hasOwn(header, "crit"),
  },
  {
    name: "kid names the key, even of a set of one",
    code: "invalid_signature",
    applies: ({ header }) => typeof header["kid"] !== "string",
  },
  {
    name: "times are finite",
    code: "invalid_claims",
    applies: ({ claims }) =>
      ["exp", "iat", "nbf"].some((name) => claims[name] !== undefined && !Number.isFinite(claims[name])),
  },
  {
    name: "sub is a text that is not empty",
    code: "invalid_claims",
    applies: ({ claims }) => !isText(claims["sub"]),
  },
  {
    name: "token_use is a text",
    code: "invalid_claims",
    applies: ({ claims }) => typeof claims["token_use"] !== "string",
  },
  {
    name: "token_use is id or access",
    code: "invalid_token_use",
    applies: ({ claims }) => claims["token_use"] !== "id" && claims["token_use"] !== "access",
  },
  {
    name: "aud of an ID token is one text",
    code: "invalid_audience",
    applies: ({ claims }) => claims["token_use"] === "id" && typeof claims["aud"] !== "string",
  },
  {
    name: "an access token is of one of the pool's app clients",
    code: "invalid_audience",
    applies: ({ claims }) =>
      claims["token_use"] === "access" && !CLIENT_IDS.some((id) => id === claims["client_id"]),
  },
];

/** What a run has found. */
export interface DifferentialReport {
  readonly tokens: number;
  readonly acceptedByBoth: number;
  readonly refusedByBoth: number;
  /** Refused by us alone, by rule. */
  readonly stricter: Record<string, number>;
  /** Our refusals, by code. */
  readonly codes: Record<string, number>;
}

const parseObject = (bytes: Uint8Array): Record<string, unknown> => {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
};

function dissect(token: string): Anatomy {
  const segments = token.split(".");
  const headerBytes = new Uint8Array(Buffer.from(segments[0] ?? "", "base64url"));
  const payloadBytes = new Uint8Array(Buffer.from(segments[1] ?? "", "base64url"));
  return {
    token,
    segments,
    headerBytes,
    payloadBytes,
    header: parseObject(headerBytes),
    claims: parseObject(payloadBytes),
  };
}

interface Signer {
  readonly name: string;
  sign(input: string): Uint8Array;
}

interface World {
  readonly decider: Decider;
  readonly signers: readonly Signer[];
  accepts(anatomy: Anatomy): Promise<boolean>;
}

const rsaSigner = (name: string, key: KeyObject, hash = "RSA-SHA256", pss = false): Signer => ({
  name,
  sign: (input) =>
    createSign(hash)
      .update(input)
      .sign(pss ? { key, padding: 6, saltLength: 32 } : key),
});

async function createWorld(): Promise<World> {
  const kids = ["k1", "k2", "b1", "stranger"];
  const keys = await Promise.all(kids.map((kid) => createSigningKey(kid)));
  const [first, second, ofB, stranger] = keys as [SigningKey, SigningKey, SigningKey, SigningKey];
  const sets: Record<string, JWK[]> = { [A]: [first.jwk, second.jwk], [B]: [ofB.jwk] };
  const stores = Object.fromEntries(
    Object.entries(sets).map(([issuer, jwks]) => [issuer, createLocalJWKSet({ keys: jwks })]),
  );
  const decider = createDecider({
    pools: [A, B].map((issuer) => ({ issuer, clientIds: CLIENT_IDS, keys: () => sets[issuer] ?? [] })),
    vars: { EXP_TOLERANCE_SECONDS: TOLERANCE_SECONDS, SKEW_TOLERANCE_SECONDS: TOLERANCE_SECONDS },
    now: () => NOW * 1000,
  });
  const privateKeys = await Promise.all(
    keys.map(async ({ privateKey }) => createPrivateKey(await exportPKCS8(privateKey))),
  );
  const [firstKey, secondKey, keyOfB, strangersKey] = privateKeys as [
    KeyObject,
    KeyObject,
    KeyObject,
    KeyObject,
  ];
  const secret = JSON.stringify(await exportJWK(first.publicKey));
  return {
    decider,
    signers: [
      rsaSigner("k1", firstKey),
      rsaSigner("k2", secondKey),
      rsaSigner("b1", keyOfB),
      rsaSigner(stranger.kid, strangersKey),
      rsaSigner("k1 over SHA-512", firstKey, "RSA-SHA512"),
      rsaSigner("k1 with PSS", firstKey, "RSA-SHA256", true),
      { name: "HMAC of the public key", sign: (text) => createHmac("sha256", secret).update(text).digest() },
      { name: "zeros", sign: () => new Uint8Array(256) },
    ],
    async accepts({ token, claims }) {
      try {
        await jwtVerify(
          token,
          (header, jws) => {
            const issuer = parseObject(base64url.decode(String(jws.payload)))["iss"];
            const keysOf = typeof issuer === "string" && Object.hasOwn(stores, issuer) && stores[issuer];
            if (!keysOf) throw new Error("unknown issuer");
            return keysOf(header, jws);
          },
          {
            algorithms: ["RS256"],
            issuer: [A, B],
            requiredClaims: ["exp", "iat", "sub", "token_use"],
            maxTokenAge: Number.MAX_VALUE, // makes jose look at an `iat` in the future
            clockTolerance: TOLERANCE_SECONDS,
            currentDate: new Date(NOW * 1000),
            ...(claims["token_use"] === "id" && { audience: CLIENT_IDS }),
          },
        );
        return true;
      } catch {
        return false;
      }
    },
  };
}

const RAW = Symbol("raw");
/** A value that JSON.stringify would not write: this very text. */
const raw = (text: string): { [RAW]: string } => ({ [RAW]: text });
const toJson = (value: unknown): string =>
  typeof value === "object" && value !== null && RAW in value ? String(value[RAW]) : JSON.stringify(value);

const strangeValue = fc.oneof(
  fc.constantFrom<unknown>(null, true, false, 0, -1, 1, "", " ", "id", "access", "app-client", A, B, [], {}),
  fc.constantFrom(...["1e999", "-1e999", "1e308", "-1e308", "-0", "0.5", "1E3"].map(raw)),
  fc.integer({ min: NOW - 40, max: NOW + 40 }),
  fc.double({ min: NOW - 40, max: NOW + 40, noNaN: true }),
  fc.jsonValue({ maxDepth: 2 }),
  fc.string({ maxLength: 20, unit: "binary" }),
  fc.constantFrom(["app-client"], ["app-client", "evil"], ["k1"], { alg: "RS256" }),
);

const member = (names: readonly string[]) => fc.tuple(fc.constantFrom(...names), strangeValue);
const CLAIMS = [
  ...["iss", "sub", "aud", "client_id", "token_use", "exp", "iat", "nbf", "username", "scope", "jti"],
  ...[
    "cognito:groups",
    "custom:tenant_id",
    "custom:role",
    "origin_jti",
    "__proto__",
    "constructor",
    "toString",
  ],
];
const HEADERS = [
  ...[
    "alg",
    "kid",
    "typ",
    "cty",
    "crit",
    "jku",
    "jwk",
    "x5u",
    "x5c",
    "b64",
    "zip",
    "enc",
    "p2c",
    "__proto__",
  ],
];

const algorithm = fc.constantFrom("RS256", "none", "HS256", "RS512", "PS256", "ES256", "rs256", "");
const kid = fc.constantFrom("k1", "k2", "b1", "stranger", "nobody", "__proto__");
const often = <T>(usual: T, rare: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  fc.oneof({ arbitrary: fc.constant(usual), weight: 12 }, { arbitrary: rare, weight: 1 });

/** Members in their order, later ones doubling earlier ones. */
type Members = readonly (readonly [string, unknown])[];
const writeObject = (members: Members, blank: string): string =>
  `{${members.map(([name, value]) => `${blank}${JSON.stringify(name)}:${blank}${toJson(value)}`).join(",")}}`;

/** Members by which jose and we can differ; chance alone would hardly meet them. */
const TELLING_HEADERS: readonly Members[] = [
  [
    ["crit", ["b64"]],
    ["b64", true],
  ],
  [
    ["crit", ["b64"]],
    ["b64", false],
  ],
  [["b64", false]],
  [["crit", ["exp"]]],
  [["x", raw('"\\ud800"')]],
];
const TELLING_CLAIMS: readonly Members[] = [
  [["exp", raw("1e999")]],
  [["iat", raw("-1e999")]],
  [["nbf", raw("-1e999")]],
  [["aud", ["app-client"]]],
  [["aud", ["app-client", "evil"]]],
  [["sub", { 0: "a" }]],
  [["filler", "x".repeat(5_400)]],
  [["filler", "x".repeat(6_000)]],
  [["filler", "x".repeat(7_000)]],
];

interface Draft {
  readonly issuer: string;
  readonly kind: "id" | "access" | "machine";
  readonly alg: string;
  readonly kid: string | undefined;
  readonly headerExtras: Members;
  readonly claimExtras: Members;
  readonly removed: readonly string[];
  readonly replaceInPlace: boolean;
  readonly blank: string;
  readonly prefix: readonly number[];
  readonly spoilt: "header" | "payload" | "none";
  readonly signer: number;
}

const draft: fc.Arbitrary<Draft> = fc.record({
  issuer: often<string>(A, fc.constantFrom(B, `${A}/`, "https://evil.example", "")),
  kind: fc.constantFrom("id", "access", "machine"),
  alg: often("RS256", algorithm),
  kid: often<string | undefined>("k1", fc.option(kid, { nil: undefined })),
  headerExtras: often<Members>(
    [],
    fc.oneof(fc.array(member(HEADERS), { maxLength: 2 }), fc.constantFrom<Members>(...TELLING_HEADERS)),
  ),
  claimExtras: fc.oneof(
    { arbitrary: fc.constant<Members>([]), weight: 4 },
    { arbitrary: fc.array(member(CLAIMS), { maxLength: 2 }), weight: 4 },
    { arbitrary: fc.constantFrom<Members>(...TELLING_CLAIMS), weight: 1 },
  ),
  removed: often<readonly string[]>([], fc.array(fc.constantFrom(...CLAIMS), { maxLength: 2 })),
  replaceInPlace: fc.boolean(),
  blank: often("", fc.constantFrom(" ", "\n", "\t", "\u00a0")),
  prefix: often<readonly number[]>(
    [],
    fc.constantFrom([0xef, 0xbb, 0xbf], [0xc3], [0x20], [0], [0xed, 0xa0, 0x80]),
  ),
  spoilt: fc.constantFrom("none", "header", "payload"),
  signer: often(0, fc.nat({ max: 7 })), // the first is the key of `kid` k1
});

/** A token that is accepted. */
const PLAIN: Draft = {
  issuer: A,
  kind: "id",
  alg: "RS256",
  kid: "k1",
  headerExtras: [],
  claimExtras: [],
  removed: [],
  replaceInPlace: true,
  blank: "",
  prefix: [],
  spoilt: "none",
  signer: 0,
};

const BASE_CLAIMS = { id: idClaims, access: accessClaims, machine: machineClaims };

function build(drawn: Draft, signers: readonly Signer[]): string {
  // the other issuer is drawn with its own key, which no kid has to name: jose takes the only one there is
  const d = drawn.issuer === B ? { ...drawn, signer: 2, kid: drawn.kid === "k1" ? "b1" : drawn.kid } : drawn;
  const claims = Object.entries(BASE_CLAIMS[d.kind](d.issuer, NOW)).filter(
    ([name]) => !d.removed.includes(name),
  );
  const payload = d.replaceInPlace
    ? [...claims.filter(([name]) => !d.claimExtras.some(([other]) => other === name)), ...d.claimExtras]
    : [...claims, ...d.claimExtras];
  const header: Members = [...(d.kid === undefined ? [] : [["kid", d.kid] as const]), ["alg", d.alg]];
  const segment = (members: Members, isSpoilt: boolean): string =>
    base64url.encode(
      new Uint8Array([...(isSpoilt ? d.prefix : []), ...encoder.encode(writeObject(members, d.blank))]),
    );
  const input = `${segment([...header, ...d.headerExtras], d.spoilt === "header")}.${segment(payload, d.spoilt === "payload")}`;
  return `${input}.${base64url.encode(signers[d.signer]?.sign(input) ?? new Uint8Array())}`;
}

interface Mutation {
  readonly kind:
    | "none"
    | "replace"
    | "insert"
    | "delete"
    | "double"
    | "swap"
    | "pad"
    | "truncate"
    | "append"
    | "splice";
  readonly at: number;
  readonly text: string;
}

const ODD_TEXT = [
  "=",
  "==",
  ".",
  "..",
  "A",
  "_",
  "-",
  "+",
  "/",
  " ",
  "\n",
  "\u00e9",
  "%",
  "AAAA",
  "e30",
  "\u0000",
];
const mutation: fc.Arbitrary<Mutation> = fc.record({
  kind: fc.oneof(
    { arbitrary: fc.constant<Mutation["kind"]>("none"), weight: 6 },
    {
      arbitrary: fc.constantFrom<Mutation["kind"]>(
        ...([
          "replace",
          "insert",
          "delete",
          "double",
          "swap",
          "pad",
          "truncate",
          "append",
          "splice",
        ] as const),
      ),
      weight: 4,
    },
  ),
  at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
  text: fc.oneof(fc.constantFrom(...ODD_TEXT), fc.string({ maxLength: 4 })),
});

function mutate(token: string, known: string, { kind, at, text }: Mutation): string {
  const index = Math.floor(at * token.length);
  const parts = token.split(".");
  const part = Math.floor(at * 3);
  switch (kind) {
    case "none":
      return token;
    case "replace":
      return token.slice(0, index) + text + token.slice(index + 1);
    case "insert":
      return token.slice(0, index) + text + token.slice(index);
    case "delete":
      return token.slice(0, index) + token.slice(index + 1);
    case "double":
      return `${token}.${parts[part]}`;
    case "swap":
      return [parts[2], parts[1], parts[0]].join(".");
    case "pad":
      return parts.map((own, i) => (i === part ? `${own}${text}` : own)).join(".");
    case "truncate":
      return token.slice(0, index);
    case "append":
      return token + text;
    case "splice": // a part of a token that has been accepted before
      return parts.map((own, i) => (i === part ? (known.split(".")[i] ?? "") : own)).join(".");
  }
}

const anything = fc.oneof(
  fc.string({ maxLength: 60, unit: "binary" }),
  fc.array(fc.base64String({ maxLength: 24 }), { maxLength: 5 }).map((parts) => parts.join(".")),
  fc
    .array(fc.constantFrom("eyJhbGciOiJSUzI1NiJ9", "e30", "AA", "", "bnVsbA"), { maxLength: 5 })
    .map((parts) => parts.join(".")),
);

/**
 * Sends `runs` generated and mutated tokens through our whole decision and through jose's `jwtVerify` with
 * strict options. Throws, with a counterexample and its seed, where we accept what jose refuses, where we refuse
 * what jose accepts and no rule says so, and where our side throws.
 */
export async function runDifferential(runs: number, seed?: number): Promise<DifferentialReport> {
  const world = await createWorld();
  const stricter: Record<string, number> = Object.fromEntries(STRICTER_RULES.map(({ name }) => [name, 0]));
  const codes: Record<string, number> = {};
  const count = { tokens: 0, acceptedByBoth: 0, refusedByBoth: 0 };

  async function compare(token: string): Promise<void> {
    const anatomy = dissect(token);
    const [ours, theirs] = [await world.decider.outcomeOf(token), await world.accepts(anatomy)];
    count.tokens += 1;
    if (ours !== "forward") codes[ours] = (codes[ours] ?? 0) + 1;
    if (ours === "forward" && theirs) count.acceptedByBoth += 1;
    else if (ours === "forward") throw new Error("accepted here, refused by jose");
    else if (!theirs) count.refusedByBoth += 1;
    else {
      const rule = STRICTER_RULES.find(({ code, applies }) => code === ours && applies(anatomy));
      if (rule === undefined) throw new Error(`${ours} here, accepted by jose, and no rule says why`);
      stricter[rule.name] = (stricter[rule.name] ?? 0) + 1;
    }
  }

  const known = build(PLAIN, world.signers);
  await compare(known);
  const generated = fc.oneof(
    { arbitrary: fc.tuple(draft, mutation), weight: 19 },
    { arbitrary: anything, weight: 1 },
  );
  const property = fc.asyncProperty(generated, async (token) => {
    if (typeof token === "string") return compare(token);
    const built = build(token[0], world.signers);
    await compare(built);
    if (token[1].kind !== "none") await compare(mutate(built, known, token[1])); // after the one it was made of
  });
  await fc.assert(property, { numRuns: runs, ...(seed !== undefined && { seed }) });
  return { ...count, stricter, codes };
}

if (import.meta.main) {
  const runs = Number(process.env["DIFFERENTIAL_RUNS"] ?? 100_000);
  const startedAt = performance.now();
  const report = await runDifferential(runs);
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  console.log(JSON.stringify({ ...report, seconds }, null, 2));
  const idle = Object.entries(report.stricter).filter(([, hits]) => hits === 0);
  if (runs >= 100_000 && idle.length > 0) throw new Error(`a rule that nothing needs: ${idle.join(", ")}`);
}
