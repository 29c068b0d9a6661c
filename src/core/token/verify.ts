import type { Config, UserPool } from "../config.ts";
import { isRefusal, type Refusal, refusal } from "../errors.ts";
import { isPlain } from "../header-item.ts";
import { INHERITED, own } from "../own.ts";
import type { CompiledPolicy } from "../policy/schema.ts";
import { type Principal, readPrincipal } from "../principal.ts";
import type { Scope } from "../scope.ts";
import { type Steps, settled } from "../steps.ts";
import { utf8Encoder } from "../utf8.ts";
import { decodeBase64url, decodedLength } from "./base64url.ts";
import { decodeToken, hasTwoDots, MAX_TOKEN_CHARS, type UnverifiedToken } from "./bearer.ts";
import type { Jwks, JwksSources, KeyLayer } from "./jwks.ts";
import type { VerifiedCache } from "./verified-cache.ts";

/** A token whose signature holds, under a key that its issuer publishes at this moment. */
export interface VerifiedToken {
  readonly issuer: string;
  readonly pool: UserPool;
  readonly kid: string;
  readonly key: CryptoKey;
  readonly principal: Principal;
  /** Nothing of it has to be encoded for a header: looked at once, not on each request. */
  readonly isPlain: boolean;
}

/** A verified token, and where its key was found. */
export interface Verification {
  readonly token: VerifiedToken;
  readonly layer: KeyLayer;
}

/** What verification works with. */
export interface Verifier {
  readonly config: Config;
  readonly policy: CompiledPolicy;
  readonly jwks: Jwks;
  readonly verified: VerifiedCache;
}

const SIGNATURE_ALGORITHM = "RSASSA-PKCS1-v1_5"; // RFC 7518 section 3.3; the hash is bound to the key

/** The `kid` of a header that this gateway would verify: RS256, no `crit` (RFC 8725 sections 3.1 and 3.10). */
function usableKid({ unverifiedHeader }: UnverifiedToken): string | undefined {
  const alg = own(unverifiedHeader, "alg", unverifiedHeader["alg"], INHERITED["alg"]);
  const crit = own(unverifiedHeader, "crit", unverifiedHeader["crit"], INHERITED["crit"]);
  const kid = own(unverifiedHeader, "kid", unverifiedHeader["kid"], INHERITED["kid"]);
  if (alg !== "RS256" || crit !== undefined) return undefined;
  return typeof kid === "string" ? kid : undefined;
}

/** What one check of a signature is given. */
interface Buffers {
  readonly input: Uint8Array<ArrayBuffer>;
  readonly signature: Uint8Array<ArrayBuffer>;
}

const createBuffers = (): Buffers => ({
  input: new Uint8Array(MAX_TOKEN_CHARS),
  signature: new Uint8Array(decodedLength(MAX_TOKEN_CHARS)),
});

/** Used again, since buffers for each token cost a tenth of a check; but never by two checks at the same time. */
let idleBuffers: Buffers | undefined;

function checkSignature(
  key: CryptoKey,
  { signingInput, signature }: UnverifiedToken,
  buffers: Buffers,
): Promise<boolean> {
  const { written } = utf8Encoder.encodeInto(signingInput, buffers.input);
  const bytes = decodeBase64url(signature, buffers.signature);
  if (bytes === undefined) return Promise.resolve(false);
  return crypto.subtle.verify(SIGNATURE_ALGORITHM, key, bytes, buffers.input.subarray(0, written));
}

/**
 * What this isolate has verified of a token before, without waiting. Undefined: it has to be verified, since nothing is
 * held of it (any more), or what was held is dropped now, because its issuer is not trusted any more, its key is another,
 * or memory has none that may still serve. A key set that is not fresh begins to be refreshed. Checks no claim.
 */
export function recallToken(
  token: string,
  { config, jwks, verified }: Verifier,
  sources: JwksSources,
  scope: Scope,
): Verification | undefined {
  const known = hasTwoDots(token) ? verified.get(token, scope.now()) : undefined;
  if (known === undefined) return undefined;
  const issuer = config.issuers.get(known.issuer)?.issuer;
  const found = issuer && jwks.findInMemory(issuer, known.kid, sources, scope);
  if (found?.key === known.key) return { token: known, layer: found.layer };
  verified.delete(token);
  return undefined;
}

/**
 * Verifies a token that cannot be recalled: its form (`malformed_token`), then issuer, `alg`, `kid`, `crit` and
 * signature (`invalid_signature`, or `jwks_unavailable` where the keys cannot be had), then the types of the required
 * claims (`invalid_claims`). Checks neither time, audience nor `token_use`'s value. RFC 7515 section 5.2.
 */
export function* verifyToken(
  token: string,
  verifier: Verifier,
  sources: JwksSources,
  scope: Scope,
): Steps<Verification | Refusal> {
  const decoded = decodeToken(token);
  if (isRefusal(decoded)) return decoded;
  const { unverifiedClaims } = decoded;
  const issuerName = own(unverifiedClaims, "iss", unverifiedClaims["iss"], INHERITED["iss"]);
  const trusted = typeof issuerName === "string" ? verifier.config.issuers.get(issuerName) : undefined;
  const kid = usableKid(decoded);
  if (trusted === undefined || kid === undefined) return refusal("invalid_signature");

  const found = yield* settled(verifier.jwks.find(trusted.issuer, kid, sources, scope));
  if (isRefusal(found)) return found;
  const buffers = idleBuffers ?? createBuffers();
  idleBuffers = undefined; // they are this check's own until it has ended, whenever it looks into them
  const holds = (yield checkSignature(found.key, decoded, buffers)) === true;
  idleBuffers = buffers; // not after a failure
  if (!holds) return refusal("invalid_signature");

  const principal = readPrincipal(unverifiedClaims, verifier.policy); // verified by now
  if (isRefusal(principal)) return principal;
  const verified: VerifiedToken = {
    issuer: trusted.issuer.issuer,
    pool: trusted.pool,
    kid,
    key: found.key,
    principal,
    isPlain: isPlain(principal),
  };
  verifier.verified.set(token, verified, scope.now());
  return { token: verified, layer: found.layer };
}
