import { createHmac, createPublicKey, type JsonWebKey, randomUUID } from "node:crypto";
import { exportJWK, generateKeyPair, type JWK, SignJWT } from "jose";
import * as v from "valibot";
import { METADATA_PATH } from "../core/http/own-endpoints.ts";
import { fetchJwks } from "./jwks-fetch.ts";
import { type RawAnswer, type RawRequest, sendRaw } from "./smoke-request.ts";
import { judgeDirect, judgePreflight, judgeRefusal, type Verdict } from "./smoke-verdict.ts";

/** One question to the gateway, or to the API behind it. */
export interface Probe {
  readonly name: string;
  /** The code that the gateway documents for it, where there is one. */
  readonly expected: string;
  readonly origin: URL;
  readonly request: RawRequest;
  readonly judge: (answer: RawAnswer) => Verdict;
}

/** What is to be probed. */
export interface SmokeTarget {
  readonly gateway: URL;
  /** An authenticated path that takes GET. */
  readonly route: string;
  /** The API itself: with its stage path, if it has one. */
  readonly api: URL | undefined;
  /** A token that was once good. */
  readonly expiredToken: string | undefined;
}

/** Whose tokens the gateway takes, as it tells everybody. */
interface Trusted {
  readonly issuer: string;
  /** A key that the issuer publishes; undefined where it cannot be fetched from here. */
  readonly jwk: JWK | undefined;
}

const metadata = v.object({ authorization_servers: v.array(v.string()) });
const jwks = v.object({ keys: v.array(v.looseObject({ kid: v.string(), kty: v.literal("RSA") })) });

const WRONG_POOL = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_000000000";
const FOREIGN_PAGE = "https://edge-smoke.example";

const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

async function learnTrusted(gateway: URL): Promise<Trusted> {
  const unknown = {
    issuer: "https://cognito-idp.us-east-2.amazonaws.com/us-east-2_unknown00",
    jwk: undefined,
  };
  const answer = await sendRaw(gateway, { method: "GET", target: METADATA_PATH, headers: {} });
  if ("failure" in answer || answer.status !== 200) return unknown;
  try {
    const issuer = v.parse(metadata, JSON.parse(answer.body)).authorization_servers[0];
    if (issuer === undefined) return unknown;
    const keys = await fetchJwks(`${issuer}/.well-known/jwks.json`).catch(() => undefined);
    const parsed = v.safeParse(jwks, keys?.body);
    return { issuer, jwk: parsed.success ? (parsed.output.keys[0] as JWK | undefined) : undefined };
  } catch {
    return unknown;
  }
}

const claimsOf = (issuer: string): Record<string, unknown> => {
  const now = Math.floor(Date.now() / 1000);
  return {
    iss: issuer,
    sub: randomUUID(),
    aud: "edge-smoke",
    token_use: "id",
    "custom:tenant_id": "edge-smoke",
    "custom:role": "owner",
    iat: now,
    exp: now + 300,
  };
};

/** RSA to HMAC: the public key as the secret, for verifiers that let the token choose the algorithm. */
function hmacToken(issuer: string, jwk: JWK): string {
  const secret = createPublicKey({ key: jwk as JsonWebKey, format: "jwk" }).export({
    type: "spki",
    format: "pem",
  });
  const input = `${base64url({ alg: "HS256", kid: jwk.kid })}.${base64url(claimsOf(issuer))}`;
  return `${input}.${createHmac("sha256", secret).update(input).digest("base64url")}`;
}

interface Token {
  readonly name: string;
  readonly expected: string;
  readonly value: string;
}

async function badTokens({ issuer, jwk }: Trusted): Promise<Token[]> {
  const { privateKey, publicKey } = await generateKeyPair("RS256", { modulusLength: 2048 });
  const own = await exportJWK(publicKey);
  const kid = jwk?.kid ?? "edge-smoke";
  const sign = (iss: string, header: Record<string, unknown>): Promise<string> =>
    new SignJWT(claimsOf(iss)).setProtectedHeader({ alg: "RS256", kid, ...header }).sign(privateKey);
  const unsigned = `${base64url({ alg: "none", kid })}.${base64url(claimsOf(issuer))}`;
  const bad = "invalid_signature";
  return [
    { name: "malformed token", expected: "malformed_token", value: "edge-smoke" },
    { name: "alg none, no signature", expected: "malformed_token", value: `${unsigned}.` },
    { name: "alg none, a signature", expected: bad, value: `${unsigned}.c21va2U` },
    { name: "forged signature", expected: bad, value: await sign(issuer, {}) },
    { name: "forged, own key in its header", expected: bad, value: await sign(issuer, { jwk: own }) },
    ...(jwk === undefined
      ? []
      : [{ name: "forged, HS256 by the public key", expected: bad, value: hmacToken(issuer, jwk) }]),
    { name: "wrong pool", expected: bad, value: await sign(WRONG_POOL, {}) },
  ];
}

const SPOOFED = {
  "x-auth-caller": "user",
  "x-auth-sub": "edge-smoke",
  "x-auth-tenant-id": "edge-smoke",
  x_auth_tenant_id: "edge-smoke",
  "x-auth-role": "owner",
  "x-tenant-id": "edge-smoke",
  "x-origin-secret": "edge-smoke",
  "x-forwarded-for": "127.0.0.1",
  "x-http-method-override": "OPTIONS",
};

/** Spellings of a path that a gateway and an API could read differently. */
const pathTricks = (route: string): readonly (readonly [name: string, target: string])[] => [
  ["empty segment", `/${route}`],
  ["encoded dot segments", `/.well-known/%2e%2e${route}`],
  ["double encoding", `/%252e%252e${route}`],
  ["encoded slash", route.replace(/(?!^)\/|$/, "%2f")],
  ["path parameter", `/.well-known/..;${route}`],
  ["backslash", `/.well-known\\..${route}`],
  ["null byte", `${route}%00.json`],
  ["overlong UTF-8", `/%c0%ae%c0%ae${route}`],
];

function directProbe(api: URL, route: string): Probe {
  return {
    name: "direct request to the API",
    expected: "401 or 403",
    origin: api,
    request: { method: "GET", target: api.pathname.replace(/\/+$/, "") + route, headers: {} },
    judge: judgeDirect,
  };
}

/** All probes of a target: each is one read-only request. Asks the gateway whose tokens it takes first. */
export async function createProbes({
  gateway,
  route,
  api,
  expiredToken,
}: SmokeTarget): Promise<readonly Probe[]> {
  const probe = (
    name: string,
    expected: string,
    headers: Record<string, string>,
    target = route,
    beforeIsFine = false,
  ): Probe => ({
    name,
    expected,
    origin: gateway,
    request: { method: "GET", target, headers: { ...headers, "x-request-id": `edge-smoke-${randomUUID()}` } },
    judge: (answer) => judgeRefusal(answer, beforeIsFine),
  });
  const withToken = ({ name, expected, value }: Token): Probe =>
    probe(name, expected, { authorization: `Bearer ${value}` });
  const preflight = probe("preflight", "204", {
    origin: FOREIGN_PAGE,
    "access-control-request-method": "GET",
    "access-control-request-headers": "authorization",
  });
  return [
    probe("no token", "missing_token", {}),
    ...(await badTokens(await learnTrusted(gateway))).map(withToken),
    ...(expiredToken === undefined
      ? []
      : [withToken({ name: "expired token", expected: "token_expired", value: expiredToken })]),
    probe("spoofed identity headers", "missing_token", SPOOFED),
    ...pathTricks(route).map(([name, target]) => probe(`path: ${name}`, "invalid_path", {}, target, true)),
    { ...preflight, request: { ...preflight.request, method: "OPTIONS" }, judge: judgePreflight },
    ...(api === undefined ? [] : [directProbe(api, route)]),
  ];
}
