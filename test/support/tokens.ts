import { exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from "jose";
import { plantSignature } from "./secrets.ts";

/** A signing key as Cognito has it: RSA-2048, with the JWK that its JWKS shows. */
export interface SigningKey {
  readonly kid: string;
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
  readonly jwk: JWK;
}

/** Makes a signing key. */
export async function createSigningKey(kid: string, modulusLength = 2048): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair("RS256", { modulusLength, extractable: true });
  const { n, e, kty } = await exportJWK(publicKey);
  return {
    kid,
    privateKey,
    publicKey,
    jwk: { kid, alg: "RS256", kty: kty ?? "RSA", use: "sig", n: n ?? "", e: e ?? "" },
  };
}

/** Signs any claims with Cognito's header, `kid` and `alg` alone, unless `header` says otherwise. */
export const sign = (
  key: SigningKey,
  claims: Record<string, unknown>,
  header: Record<string, unknown> = {},
): Promise<string> =>
  new SignJWT(claims as JWTPayload)
    .setProtectedHeader({ kid: key.kid, alg: "RS256", ...header })
    .sign(key.privateKey)
    .then(plantSignature);

/** Claims of an ID token, as Cognito issues them; `overrides` of undefined remove a claim. */
export const idClaims = (
  issuer: string,
  nowSeconds: number,
  overrides: Record<string, unknown> = {},
): Record<string, unknown> => ({
  sub: "b1c2d3e4-0000-4000-8000-000000000001",
  iss: issuer,
  aud: "app-client",
  token_use: "id",
  "cognito:username": "ada",
  "custom:tenant_id": "acme",
  "custom:role": "admin",
  origin_jti: "11111111-0000-4000-8000-000000000001",
  jti: "22222222-0000-4000-8000-000000000001",
  auth_time: nowSeconds,
  iat: nowSeconds,
  exp: nowSeconds + 3600,
  ...overrides,
});

/** Claims of a person's access token. */
export const accessClaims = (
  issuer: string,
  nowSeconds: number,
  overrides: Record<string, unknown> = {},
): Record<string, unknown> => ({
  sub: "b1c2d3e4-0000-4000-8000-000000000001",
  iss: issuer,
  client_id: "app-client",
  token_use: "access",
  scope: "openid profile",
  username: "ada",
  version: 2,
  origin_jti: "11111111-0000-4000-8000-000000000001",
  jti: "22222222-0000-4000-8000-000000000002",
  auth_time: nowSeconds,
  iat: nowSeconds,
  exp: nowSeconds + 3600,
  ...overrides,
});

/** Claims of a machine's access token (`client_credentials`). */
export const machineClaims = (
  issuer: string,
  nowSeconds: number,
  overrides: Record<string, unknown> = {},
): Record<string, unknown> => ({
  sub: "machine-1",
  iss: issuer,
  client_id: "machine-1",
  token_use: "access",
  scope: "zen/m2m",
  version: 2,
  jti: "22222222-0000-4000-8000-000000000003",
  auth_time: nowSeconds,
  iat: nowSeconds,
  exp: nowSeconds + 3600,
  ...overrides,
});
