import { decode } from "jose/base64url";
import { fieldOf, isTable, itemsOf } from "../shape.ts";

/** A JWKS as the gateway keeps it in the Cache API and in KV. */
export interface KeySetDocument {
  readonly issuer: string;
  /** Milliseconds since the epoch of the fetch from Cognito. */
  readonly fetched_at_ms: number;
  readonly keys: readonly PublicJwk[];
}

/** The members of an RSA JWK that verification needs (RFC 7517, RFC 7518 section 6.3.1). */
export interface PublicJwk {
  readonly kid: string;
  readonly n: string;
  readonly e: string;
}

/** The usable keys of one issuer, imported. */
export interface KeySet {
  readonly document: KeySetDocument;
  readonly keys: ReadonlyMap<string, CryptoKey>;
}

const RS256 = { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" }; // RFC 7518 section 3.3
const MIN_MODULUS_BITS = 2048;
/** Milliseconds that the clock of another machine may be ahead of this one's. */
const CLOCK_TOLERANCE_MS = 5_000;

/** Does a fetch lie in the future, by more than another machine's clock may be ahead? */
export const isFromFuture = (fetchedAtMs: number, nowMs: number): boolean =>
  fetchedAtMs > nowMs + CLOCK_TOLERANCE_MS;

/** The public members of an RSA JWK that has a name; undefined where one is missing or of the wrong type. */
function publicJwk(candidate: unknown): PublicJwk | undefined {
  const kid = fieldOf(candidate, "kid");
  const n = fieldOf(candidate, "n");
  const e = fieldOf(candidate, "e");
  const isComplete = typeof kid === "string" && kid !== "" && typeof n === "string" && typeof e === "string";
  return isComplete ? { kid, n, e } : undefined;
}

/** Is it a key for RS256 signatures, as far as it says (RFC 7517 sections 4.1 to 4.4)? */
function isForSigning(candidate: unknown): boolean {
  const use = fieldOf(candidate, "use");
  const alg = fieldOf(candidate, "alg");
  const keyOps = fieldOf(candidate, "key_ops");
  return (
    fieldOf(candidate, "kty") === "RSA" &&
    (use === undefined || use === "sig") &&
    (alg === undefined || alg === "RS256") &&
    (keyOps === undefined || itemsOf(keyOps).includes("verify"))
  );
}

const bitLength = (bytes: Uint8Array): number => {
  const first = bytes.findIndex((byte) => byte !== 0);
  return first === -1 ? 0 : (bytes.length - first) * 8 - Math.clz32(bytes[first] ?? 0) + 24;
};

/** A modulus of 2,048 bits or more, and an odd exponent of 3 or more that 32 bits hold. */
function isStrong({ n, e }: PublicJwk): boolean {
  try {
    const exponent = decode(e);
    const exponentBits = bitLength(exponent);
    const odd = ((exponent.at(-1) ?? 0) & 1) === 1;
    return bitLength(decode(n)) >= MIN_MODULUS_BITS && odd && exponentBits >= 2 && exponentBits <= 32;
  } catch {
    return false; // not base64url
  }
}

async function importKey(jwk: PublicJwk): Promise<CryptoKey | undefined> {
  try {
    // only the public members: a private key that was published by mistake still only verifies
    return await crypto.subtle.importKey("jwk", { kty: "RSA", n: jwk.n, e: jwk.e }, RS256, false, ["verify"]);
  } catch {
    return undefined;
  }
}

/** Keys that share a `kid` are dropped: which of them is meant cannot be told. */
function withoutAmbiguous(keys: readonly PublicJwk[]): PublicJwk[] {
  return keys.filter(({ kid }) => keys.filter((other) => other.kid === kid).length === 1);
}

/**
 * The usable keys of a JWKS answer: RSA signing keys (`use` and `alg`, where present, `sig` and `RS256`;
 * `key_ops`, where present, with `verify`) of 2,048 bits or more. Others are ignored. Undefined where the answer is no JWKS or holds no such key.
 */
export function parseJwks(body: unknown): readonly PublicJwk[] | undefined {
  const keys = itemsOf(fieldOf(body, "keys")).flatMap((candidate) => {
    const jwk = isForSigning(candidate) ? publicJwk(candidate) : undefined;
    return jwk !== undefined && isStrong(jwk) ? jwk : [];
  });
  const usable = withoutAmbiguous(keys);
  return usable.length > 0 ? usable : undefined;
}

/**
 * A stored document, checked anew. Undefined where it is not of this form, of another issuer, from the future
 * or without a usable key.
 */
export function parseDocument(value: unknown, issuer: string, nowMs: number): KeySetDocument | undefined {
  if (!isTable(value) || value["issuer"] !== issuer || !Array.isArray(value["keys"])) return undefined;
  const fetchedAtMs = value["fetched_at_ms"];
  if (typeof fetchedAtMs !== "number" || !Number.isFinite(fetchedAtMs)) return undefined;
  const keys = value["keys"].map(publicJwk);
  if (isFromFuture(fetchedAtMs, nowMs) || keys.includes(undefined)) return undefined;
  const usable = withoutAmbiguous(keys.filter((jwk) => jwk !== undefined).filter(isStrong));
  return usable.length > 0 ? { issuer, fetched_at_ms: fetchedAtMs, keys: usable } : undefined;
}

/**
 * Imports the keys of a document, for RS256 alone. A key that `previous` already holds is not
 * imported again, so that tokens that were verified with it stay known. Undefined where none can be imported.
 */
export async function importKeySet(
  document: KeySetDocument,
  previous: KeySet | undefined,
): Promise<KeySet | undefined> {
  const imported = await Promise.all(
    document.keys.map(async (jwk): Promise<[string, CryptoKey] | undefined> => {
      const same = previous?.document.keys.find(
        ({ kid, n, e }) => kid === jwk.kid && n === jwk.n && e === jwk.e,
      );
      const key = (same && previous?.keys.get(jwk.kid)) ?? (await importKey(jwk));
      return key && [jwk.kid, key];
    }),
  );
  const keys = new Map(imported.filter((entry) => entry !== undefined));
  return keys.size > 0 ? { document, keys } : undefined;
}
