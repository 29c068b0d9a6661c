import {
  accessClaims,
  createSignIn,
  idClaims,
  machineClaims,
  type SignIn,
  TOKEN_LIFETIME_SECONDS,
  type Validity,
} from "./cognito-claims.ts";
import { type Directory, findClient, findPerson, grantScopes, isMachine } from "./cognito-directory.ts";
import type { SigningKeys, TokenUse } from "./cognito-keys.ts";

/** What a minted token is to be like. */
export interface MintOptions {
  /** Default `id`; of a machine, `access`. */
  readonly use?: TokenUse;
  /** Space-separated; default: all that the app client may have. */
  readonly scope?: string;
  /** Seconds until `exp`, from now; default 3,600. Negative: a token that has expired. */
  readonly expiresInSeconds?: number;
}

/** Issues tokens with the keys of the moment. */
export interface Mint {
  /** Both tokens of a sign-in. */
  forSignIn(signIn: SignIn): Promise<{ id: string; access: string }>;
  /** A person's token, without the hosted UI; undefined for a person or scope that the pool does not know. */
  forPerson(username: string, options?: MintOptions): Promise<string | undefined>;
  /** A machine's token, without its secret; undefined for a client or scope that the pool does not know. */
  forClient(clientId: string, options?: MintOptions): Promise<string | undefined>;
}

/** What a mint works with. */
export interface MintParts {
  readonly issuerUrl: string;
  readonly directory: Directory;
  readonly keys: () => SigningKeys;
  readonly nowMs: () => number;
}

/** Creates the mint of a user pool. */
export function createMint({ issuerUrl, directory, keys, nowMs }: MintParts): Mint {
  /** `exp` may lie in the past; `iat` is always a lifetime before it at the latest, so that it lies before `exp`. */
  function validity(expiresInSeconds = TOKEN_LIFETIME_SECONDS): Validity {
    const now = Math.floor(nowMs() / 1000);
    const exp = now + expiresInSeconds;
    return { iat: Math.min(now, exp - TOKEN_LIFETIME_SECONDS), exp };
  }

  const signFor = (signIn: SignIn, use: TokenUse, valid: Validity): Promise<string> =>
    keys().sign(use, (use === "id" ? idClaims : accessClaims)(issuerUrl, signIn, valid));

  return {
    async forSignIn(signIn) {
      const valid = validity();
      return { id: await signFor(signIn, "id", valid), access: await signFor(signIn, "access", valid) };
    },

    async forPerson(username, { use = "id", scope, expiresInSeconds } = {}) {
      const person = findPerson(directory, username);
      const client = directory.clients.find((each) => !isMachine(each));
      const scopes = client && grantScopes(client, scope);
      if (person === undefined || client === undefined || scopes === undefined) return undefined;
      return signFor(createSignIn(person, client.clientId, scopes, nowMs()), use, validity(expiresInSeconds));
    },

    async forClient(clientId, { scope, expiresInSeconds } = {}) {
      const client = findClient(directory, clientId);
      const scopes = client && grantScopes(client, scope);
      if (client === undefined || !isMachine(client) || scopes === undefined) return undefined;
      const claims = machineClaims(issuerUrl, clientId, scopes, validity(expiresInSeconds));
      return keys().sign("access", claims);
    },
  };
}
