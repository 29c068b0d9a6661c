import { isPlain } from "../src/core/header-item.ts";
import { compilePolicy } from "../src/core/policy/define.ts";
import { type Principal, readPrincipal } from "../src/core/principal.ts";
import { decodeBase64url } from "../src/core/token/base64url.ts";
import { decodeToken, MAX_TOKEN_CHARS, type UnverifiedToken } from "../src/core/token/bearer.ts";
import { policyOf } from "./policy.ts";
import { ISSUER } from "./pool.ts";
import { fail, type Task, textOf } from "./task.ts";

/** What is kept of a token that was verified. */
export interface Remembered {
  readonly issuer: string;
  readonly kid: string;
  readonly key: object;
  readonly principal: Principal;
  readonly isPlain: boolean;
  readonly untilMs: number;
}

const ALGORITHM = "RSASSA-PKCS1-v1_5";
const LIFETIME_MS = 300_000;
const NONE: readonly string[] = [];
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

const time = (value: unknown): number => (typeof value === "number" ? value : fail("no such time"));

function decodedOf(token: string): UnverifiedToken {
  const decoded = decodeToken(token);
  return "code" in decoded ? fail(decoded.code) : decoded;
}

/** What is kept of a token, as the gateway reads it, without a look at its signature. */
export function rememberedOf(token: string, key: object, untilMs: number): Remembered {
  const { unverifiedHeader, unverifiedClaims } = decodedOf(token);
  const policy = compilePolicy(policyOf(50));
  const principal = policy.ok
    ? readPrincipal(unverifiedClaims, policy.value)
    : fail("the policy has a fault");
  if ("code" in principal) return fail(principal.code);
  const issuer = textOf(unverifiedClaims["iss"]);
  return {
    issuer,
    kid: textOf(unverifiedHeader["kid"]),
    key,
    principal,
    isPlain: isPlain(principal),
    untilMs,
  };
}

/** The public key of an issuer, with its `kid`. */
export type IssuerKey = JsonWebKey & { readonly kid?: string | undefined };

/** The one key of an issuer, and how a token is verified with it and put into `cache`. */
export interface VerifyByHand {
  readonly key: CryptoKey;
  verify(token: string, cache: Map<string, Remembered>, nowMs: number): Promise<Remembered>;
}

const MAX_HEADERS = 16;

/**
 * The verification step of an ID token that was not seen before, its place in a cache included, and of no other token:
 * one function, its buffers and the headers that these tokens have at hand. What asks for more throws.
 */
export async function createVerifyByHand(jwk: IssuerKey): Promise<VerifyByHand> {
  const headers = new Map<string, { readonly alg: unknown; readonly kid: string }>();
  const key = await crypto.subtle.importKey("jwk", jwk, { name: ALGORITHM, hash: "SHA-256" }, false, [
    "verify",
  ]);
  const keySets = new Map([[ISSUER, new Map([[textOf(jwk.kid), key]])]]);
  const payload = new Uint8Array(MAX_TOKEN_CHARS);
  const input = new Uint8Array(MAX_TOKEN_CHARS);
  const signature = new Uint8Array(MAX_TOKEN_CHARS);

  function learnHeader(token: string, encoded: string): { readonly alg: unknown; readonly kid: string } {
    const { alg, kid } = decodedOf(token).unverifiedHeader;
    const header = { alg, kid: textOf(kid) };
    if (headers.size === MAX_HEADERS) headers.clear();
    headers.set(encoded, header);
    return header;
  }

  async function verify(token: string, cache: Map<string, Remembered>, nowMs: number): Promise<Remembered> {
    if (cache.has(token) || token.length > MAX_TOKEN_CHARS) return fail("not this token");
    const headerEnd = token.indexOf(".");
    const payloadEnd = token.indexOf(".", headerEnd + 1);
    const encodedHeader = token.slice(0, headerEnd);
    const header = headers.get(encodedHeader) ?? learnHeader(token, encodedHeader);
    if (header.alg !== "RS256") return fail("another header");
    const json = decodeBase64url(token.slice(headerEnd + 1, payloadEnd), payload) ?? fail("no payload");
    const claims = JSON.parse(utf8.decode(json)) as Readonly<Record<string, unknown>>;
    const issuer = textOf(claims["iss"]);
    const signedWith = keySets.get(issuer)?.get(header.kid) ?? fail("no key");
    const { written } = encoder.encodeInto(token.slice(0, payloadEnd), input);
    const bytes = decodeBase64url(token.slice(payloadEnd + 1), signature) ?? fail("no signature");
    if (!(await crypto.subtle.verify(ALGORITHM, signedWith, bytes, input.subarray(0, written))))
      return fail("not verified");
    const groups = claims["cognito:groups"];
    const principal: Principal = {
      caller: "user",
      sub: textOf(claims["sub"]),
      tokenUse: textOf(claims["token_use"]),
      clientId: textOf(claims["aud"]),
      exp: time(claims["exp"]),
      iat: time(claims["iat"]),
      nbf: undefined,
      resource: undefined,
      scopes: NONE,
      groups: Array.isArray(groups) ? groups.map(textOf) : fail("no groups"),
      username: textOf(claims["cognito:username"]),
      tenantClaim: textOf(claims["custom:tenant_id"]),
      roleClaim: textOf(claims["custom:role"]),
      jti: textOf(claims["jti"]),
      originJti: textOf(claims["origin_jti"]),
    };
    const untilMs = Math.min(principal.exp * 1000, nowMs + LIFETIME_MS);
    if (untilMs <= nowMs) return fail("too old");
    const { kid } = header;
    const remembered = { issuer, kid, key: signedWith, principal, isPlain: isPlain(principal), untilMs };
    cache.set(token, remembered);
    return remembered;
  }

  return { key, verify };
}

/** Verifications by hand of tokens that were not seen before; what they find is compared with what the gateway reads. */
export async function createVerificationsByHand(jwk: IssuerKey, tokens: readonly string[]): Promise<Task> {
  const [some = fail("no token")] = tokens;
  const { verify } = await createVerifyByHand(jwk);
  const nowMs = Date.now();
  const found = await verify(some, new Map(), nowMs);
  if (JSON.stringify(found) !== JSON.stringify(rememberedOf(some, found.key, found.untilMs)))
    return fail("read otherwise than the gateway");
  return async (count) => {
    let cache = new Map<string, Remembered>();
    for (let index = 0; index < count; index += 1) {
      if (index % tokens.length === 0) cache = new Map();
      await verify(tokens[index % tokens.length] ?? fail("no token"), cache, nowMs);
    }
  };
}
