import { randomBytes } from "node:crypto";
import { type JWK, OAuth2Issuer } from "oauth2-mock-server";

/** Cognito signs ID tokens with one key and access tokens with the other, so the `kid`s of a session differ. */
export type TokenUse = "id" | "access";

/** The two signing keys of a user pool, and what its JWKS publishes. */
export interface SigningKeys {
  /** Holds the keys, and signs. */
  readonly issuer: OAuth2Issuer;
  /** The `kid` that new tokens of each kind carry. */
  readonly kids: Readonly<Record<TokenUse, string>>;
  /** Signs claims as they are; the JOSE header is exactly `kid` and `alg`. */
  sign(use: TokenUse, claims: Readonly<Record<string, unknown>>): Promise<string>;
}

/** A `kid` as Cognito's: 32 bytes in base64, so with `+`, `/` and `=`. */
const randomKid = (): string => randomBytes(32).toString("base64");

async function generateKey(issuer: OAuth2Issuer): Promise<string> {
  const jwk = await issuer.keys.generate("RS256", { kid: randomKid() });
  await issuer.keys.add({ ...jwk, use: "sig" }); // in place of the first: Cognito's JWKS says what a key is for
  return jwk.kid;
}

/**
 * Makes two new RSA keys of 2,048 bits. `earlier`: private JWKs that stay published beside them, and sign no more.
 */
export async function createSigningKeys(
  issuerUrl: string,
  earlier: readonly JWK[] = [],
): Promise<SigningKeys> {
  const issuer = new OAuth2Issuer();
  issuer.url = issuerUrl;
  const kids = { id: await generateKey(issuer), access: await generateKey(issuer) };
  for (const jwk of earlier) await issuer.keys.add({ ...jwk });
  return {
    issuer,
    kids,
    sign: (use, claims) =>
      issuer.buildToken({
        kid: kids[use],
        scopesOrTransform(header, payload) {
          header["typ"] = undefined; // the library's own "JWT", which Cognito does not send
          for (const name of Object.keys(payload)) Reflect.deleteProperty(payload, name);
          Object.assign(payload, claims);
        },
      }),
  };
}
