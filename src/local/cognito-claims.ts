import { randomUUID } from "node:crypto";
import type { Person } from "./cognito-directory.ts";

/** Lifetime of an ID or access token in seconds: Cognito's default. */
export const TOKEN_LIFETIME_SECONDS = 3600;

/** A person's sign-in, from which tokens are issued. */
export interface SignIn {
  readonly person: Person;
  readonly clientId: string;
  readonly scopes: readonly string[];
  /** Seconds since the epoch. */
  readonly authTimeSeconds: number;
  /** Ties together all tokens of one refresh token. */
  readonly originJti: string;
  readonly eventId: string;
  readonly nonce?: string;
}

/** When a token is issued, and for how long. All in seconds. */
export interface Validity {
  readonly iat: number;
  readonly exp: number;
}

type Claims = Readonly<Record<string, unknown>>;

const groupsOf = ({ groups }: Person): Claims => (groups.length > 0 ? { "cognito:groups": groups } : {});

/**
 * The attributes that an ID token shows: all of them for `openid` alone, otherwise custom ones for `profile` and
 * the address for `email`.
 *
 * @see https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-define-resource-servers.html
 */
function attributesOf({ person, scopes }: SignIn): Claims {
  const isPlain = !scopes.some((scope) => scope === "profile" || scope === "email");
  return {
    ...((isPlain || scopes.includes("profile")) && person.attributes),
    ...((isPlain || scopes.includes("email")) && { email: person.email }),
  };
}

/** Claims of an ID token of Cognito. */
export const idClaims = (issuer: string, signIn: SignIn, { iat, exp }: Validity): Claims => ({
  sub: signIn.person.sub,
  ...groupsOf(signIn.person),
  iss: issuer,
  "cognito:username": signIn.person.username,
  ...(signIn.nonce !== undefined && { nonce: signIn.nonce }),
  origin_jti: signIn.originJti,
  aud: signIn.clientId,
  event_id: signIn.eventId,
  token_use: "id",
  auth_time: signIn.authTimeSeconds,
  exp,
  iat,
  jti: randomUUID(),
  ...attributesOf(signIn),
});

/** Claims of a person's access token of Cognito: no custom attributes, and no `aud`. */
export const accessClaims = (issuer: string, signIn: SignIn, { iat, exp }: Validity): Claims => ({
  sub: signIn.person.sub,
  ...groupsOf(signIn.person),
  iss: issuer,
  version: 2,
  client_id: signIn.clientId,
  origin_jti: signIn.originJti,
  event_id: signIn.eventId,
  token_use: "access",
  scope: signIn.scopes.join(" "),
  auth_time: signIn.authTimeSeconds,
  exp,
  iat,
  jti: randomUUID(),
  username: signIn.person.username,
});

/** Claims of a machine's access token of Cognito (`client_credentials`): `sub` is the `client_id`, no `username`. */
export const machineClaims = (
  issuer: string,
  clientId: string,
  scopes: readonly string[],
  { iat, exp }: Validity,
): Claims => ({
  sub: clientId,
  token_use: "access",
  scope: scopes.join(" "),
  auth_time: iat,
  iss: issuer,
  exp,
  iat,
  version: 2,
  jti: randomUUID(),
  client_id: clientId,
});

/** A sign-in of now. */
export const createSignIn = (
  person: Person,
  clientId: string,
  scopes: readonly string[],
  nowMs: number,
  nonce?: string,
): SignIn => ({
  person,
  clientId,
  scopes,
  authTimeSeconds: Math.floor(nowMs / 1000),
  originJti: randomUUID(),
  eventId: randomUUID(),
  ...(nonce !== undefined && { nonce }),
});
