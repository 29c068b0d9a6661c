import { createSigningKey, type SigningKey, sign } from "../test/support/tokens.ts";
import { CLIENT_ID, ISSUER } from "./pool.ts";

/** `{"keys":[…]}` as Cognito publishes it: one key signs ID tokens, the other access tokens. */
export interface Signer {
  readonly idKey: SigningKey;
  readonly accessKey: SigningKey;
  readonly jwks: { readonly keys: readonly object[] };
}

const kid = (seed: string): string => `${seed}${"x".repeat(43 - seed.length)}=`; // 44 characters, as Cognito's

/** Makes the two keys of a pool. */
export async function createSigner(): Promise<Signer> {
  const [idKey, accessKey] = await Promise.all([
    createSigningKey(kid("id")),
    createSigningKey(kid("access")),
  ]);
  return { idKey, accessKey, jwks: { keys: [idKey.jwk, accessKey.jwk] } };
}

const uuid = (): string => crypto.randomUUID();

/** An ID token with the claims of a real one, about 1,000 characters long. */
export function idToken(signer: Signer, issuedAt: number, overrides: Record<string, unknown> = {}) {
  const sub = uuid();
  return sign(signer.idKey, {
    sub,
    email_verified: true,
    iss: ISSUER,
    "cognito:username": sub,
    "cognito:groups": ["support"],
    "custom:tenant_id": "acme",
    "custom:role": "admin",
    origin_jti: uuid(),
    aud: CLIENT_ID,
    event_id: uuid(),
    token_use: "id",
    auth_time: issuedAt,
    exp: issuedAt + 3600,
    iat: issuedAt,
    jti: uuid(),
    email: "ada.lovelace@example.com",
    ...overrides,
  });
}

/** A machine's access token. */
export const machineToken = (signer: Signer, issuedAt: number, clientId: string) =>
  sign(signer.accessKey, {
    sub: clientId,
    token_use: "access",
    scope: "zen/m2m",
    auth_time: issuedAt,
    iss: ISSUER,
    exp: issuedAt + 3600,
    iat: issuedAt,
    version: 2,
    jti: uuid(),
    client_id: clientId,
  });

/** Many of them; signing is what takes the time, so it runs on all cores. */
export const manyOf = (count: number, make: () => Promise<string>): Promise<string[]> =>
  Promise.all(Array.from({ length: count }, make));

/** The token with another character in the middle of its signature. */
export function forge(token: string): string {
  const at = token.length - 170;
  return token.slice(0, at) + (token[at] === "A" ? "B" : "A") + token.slice(at + 1);
}
