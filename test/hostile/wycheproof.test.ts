import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { base64url, type JWK } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { decodeBase64url } from "../../src/core/token/base64url.ts";
import { importKeySet, parseJwks } from "../../src/core/token/key-set.ts";
import { createDecider, type Decider } from "../support/decide.ts";
import { createRawRsa, type RawRsa, rawRsaOf, signingInput, toBytes } from "../support/forge.ts";
import { createSigningKey, idClaims } from "../support/tokens.ts";

interface Vector {
  readonly tcId: number;
  readonly comment: string;
  readonly jws: string;
  readonly result: "valid" | "invalid";
  readonly flags: readonly string[];
}

interface Group<Key> {
  readonly comment: string;
  readonly public: Key;
  readonly tests: readonly Vector[];
}

const read = <Key>(name: string): readonly Group<Key>[] =>
  JSON.parse(readFileSync(new URL(`../conformance/vectors/${name}`, import.meta.url), "utf8")).testGroups;

const SIGNATURE_GROUPS = read<JWK>("json_web_signature_test.rs256.json");
const KEY_GROUPS = read<{ keys: readonly JWK[] }>("json_web_key_test.rs256.json");

/** Where we disagree with Wycheproof on a key or a signature, and by which rule. */
const RULES: Readonly<Record<string, { readonly rule: string; readonly accepted: boolean }>> = {
  "signature 259": { rule: "segments of a token are never empty: no claims, no token", accepted: false },
  "key 7": { rule: "weak primes (ROCA) are not looked for: keys are what Cognito publishes", accepted: true },
};

const NOW = 1_800_000_000;
const ISSUER = "https://cognito.example/us-east-2_A";

/** Form, key and signature of a JWS whatever its payload: all of our path that looks at no claim. */
async function isAccepted(jws: string, keys: readonly unknown[]): Promise<boolean> {
  const parts = jws.split(".");
  const [header, payload, signature] = parts.map((part) => (part === "" ? undefined : decodeBase64url(part)));
  if (parts.length !== 3 || !header || !payload || !signature) return false;
  const { alg, kid } = JSON.parse(new TextDecoder().decode(header));
  const usable = parseJwks({ keys });
  const document = usable && { issuer: ISSUER, fetched_at_ms: 0, keys: usable };
  const key = document && (await importKeySet(document, undefined))?.keys.get(kid);
  if (key === undefined || alg !== "RS256") return false;
  const input = new TextEncoder().encode(parts.slice(0, 2).join("."));
  return crypto.subtle.verify("RSASSA-PKCS1-v1_5", key, signature, input);
}

const expectedOf = (family: string, { tcId, result }: Vector): boolean =>
  RULES[`${family} ${tcId}`]?.accepted ?? result === "valid";

describe("Wycheproof json_web_signature_test, RS256", () => {
  for (const { comment, public: key, tests } of SIGNATURE_GROUPS)
    for (const vector of tests)
      it(`${vector.tcId} ${comment}: ${vector.comment}`, async () => {
        expect(await isAccepted(vector.jws, [key])).toBe(expectedOf("signature", vector));
      });

  it("is refused as a whole: no vector is a token of ours, and none makes the decision throw", async () => {
    for (const { public: key, tests } of SIGNATURE_GROUPS) {
      const decider = createDecider({
        pools: [{ issuer: ISSUER, keys: () => [key] }],
        now: () => NOW * 1000,
      });
      for (const { jws } of tests)
        expect(["malformed_token", "missing_token"]).toContain(await decider.outcome(jws));
    }
  });
});

describe("Wycheproof json_web_key_test, RSA", () => {
  for (const { comment, public: set, tests } of KEY_GROUPS)
    for (const vector of tests)
      it(`${vector.tcId} ${comment}: ${vector.comment}`, async () => {
        expect(await isAccepted(vector.jws, set.keys)).toBe(expectedOf("key", vector));
      });
});

describe("Wycheproof's signature encodings on a token of our own", () => {
  let rsa: RawRsa;
  let decider: Decider;

  beforeAll(async () => {
    const key = await createSigningKey("k1");
    rsa = await rawRsaOf(key);
    decider = createDecider({ pools: [{ issuer: ISSUER, keys: () => [key.jwk] }], now: () => NOW * 1000 });
  });

  /** The vector's encoded message with our hash in the place of its own; undefined where that is not in it. */
  function transplant(vector: Vector, key: JWK, input: string): Uint8Array<ArrayBuffer> | undefined {
    const text = vector.jws.slice(0, vector.jws.lastIndexOf("."));
    const signature = base64url.decode(vector.jws.slice(text.length + 1));
    if (signature.length !== 256) return undefined;
    const encoded = Buffer.from(createRawRsa(key as { n?: string; e?: string }).recover(signature));
    for (const name of ["sha256", "sha512", "sha384", "sha224", "sha1", "md5"]) {
      const theirs = createHash(name).update(text).digest();
      const at = encoded.indexOf(theirs);
      if (at === -1) continue;
      createHash(name).update(input).digest().copy(encoded, at);
      return new Uint8Array(encoded);
    }
    return undefined;
  }

  it("accepts the valid ones and refuses every modified padding", async () => {
    const input = signingInput({ kid: "k1", alg: "RS256" }, idClaims(ISSUER, NOW));
    let accepted = 0;
    let refused = 0;
    for (const { public: key, tests } of SIGNATURE_GROUPS)
      for (const vector of tests) {
        const isPadding = vector.flags.includes("ModifiedPadding");
        if (!isPadding && vector.result !== "valid") continue; // its fault is not in the encoding
        const encoded = transplant(vector, key, input);
        if (encoded === undefined) continue;
        const signature = base64url.encode(toBytes(rsa.sign(encoded), rsa.modulusBytes));
        const outcome = await decider.outcome(`${input}.${signature}`);
        expect(outcome, `${vector.tcId} ${vector.comment}`).toBe(isPadding ? "invalid_signature" : "forward");
        if (isPadding) refused += 1;
        else accepted += 1;
      }
    expect({ accepted, refused }).toEqual({ accepted: 8, refused: 197 });
  });
});
