import { isPlain } from "../src/core/header-item.ts";
import { compilePolicy } from "../src/core/policy/define.ts";
import { type Principal, readPrincipal } from "../src/core/principal.ts";
import { decodeBase64url } from "../src/core/token/base64url.ts";
import { decodeToken, MAX_TOKEN_CHARS } from "../src/core/token/bearer.ts";
import { policyOf } from "./policy.ts";
import { ISSUER } from "./pool.ts";
import { fail, type Task, textOf } from "./task.ts";

interface Remembered {
  readonly issuer: string;
  readonly kid: string;
  readonly key: CryptoKey;
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

/**
 * The verification step of an ID token that was not seen before, its place in a cache included, and of no other token:
 * one function, its buffers and the header that all of these tokens have at hand. What asks for more ends the run.
 */
export async function createVerifyByHand(jwk: JsonWebKey, tokens: readonly string[]): Promise<Task> {
  const [some = fail("no token")] = tokens;
  const decoded = decodeToken(some);
  const policy = compilePolicy(policyOf(50));
  if ("code" in decoded || !policy.ok) return fail("token or policy has a fault");
  const { alg, kid } = decoded.unverifiedHeader;
  const headers = new Map([[some.slice(0, some.indexOf(".")), { alg, kid }]]);
  const key = await crypto.subtle.importKey("jwk", jwk, { name: ALGORITHM, hash: "SHA-256" }, false, [
    "verify",
  ]);
  const keySets = new Map([[ISSUER, new Map([[kid, key]])]]);
  const payload = new Uint8Array(MAX_TOKEN_CHARS);
  const input = new Uint8Array(MAX_TOKEN_CHARS);
  const signature = new Uint8Array(MAX_TOKEN_CHARS);
  const nowMs = Date.now();
  let cache = new Map<string, Remembered>();

  async function verify(token: string): Promise<Remembered> {
    if (cache.has(token) || token.length > MAX_TOKEN_CHARS) return fail("not this token");
    const headerEnd = token.indexOf(".");
    const payloadEnd = token.indexOf(".", headerEnd + 1);
    const header = headers.get(token.slice(0, headerEnd));
    if (header === undefined || header.alg !== "RS256") return fail("another header");
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
    const remembered = {
      issuer,
      kid: textOf(header.kid),
      key: signedWith,
      principal,
      isPlain: isPlain(principal),
      untilMs,
    };
    cache.set(token, remembered);
    return remembered;
  }

  const expected = readPrincipal(decoded.unverifiedClaims, policy.value);
  if (JSON.stringify((await verify(some)).principal) !== JSON.stringify(expected))
    return fail("read otherwise than the gateway");
  return async (count) => {
    for (let index = 0; index < count; index += 1) {
      if (index % tokens.length === 0) cache = new Map();
      await verify(tokens[index % tokens.length] ?? fail("no token"));
    }
  };
}
