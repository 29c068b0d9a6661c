import { createHash, randomBytes, randomUUID } from "node:crypto";
import type { SignIn } from "./cognito-claims.ts";

/** Lifetime of an authorization code: Cognito's 5 minutes. */
export const CODE_LIFETIME_MS = 5 * 60_000;
/** Lifetime of a refresh token: Cognito's default of 30 days. */
export const REFRESH_LIFETIME_MS = 30 * 24 * 60 * 60_000;

/** What an authorization code stands for. */
export interface CodeGrant {
  readonly signIn: SignIn;
  readonly redirectUri: string;
  /** `code_challenge`, of method S256. */
  readonly challenge: string;
}

/** Codes and refresh tokens that have been given out. In memory: a restart ends them. */
export interface Sessions {
  issueCode(grant: CodeGrant): string;
  /** The grant of a code, once; undefined where it is unknown, used up or expired. */
  redeemCode(code: string): CodeGrant | undefined;
  issueRefreshToken(signIn: SignIn): string;
  /** The sign-in of a refresh token; undefined where it is unknown, revoked or expired. */
  findSignIn(refreshToken: string): SignIn | undefined;
  revoke(refreshToken: string): void;
}

interface Kept<T> {
  readonly value: T;
  readonly expiresAtMs: number;
}

/** True where a verifier belongs to a challenge of method S256 (RFC 7636 section 4.6). */
export const matchesChallenge = (verifier: string, challenge: string): boolean =>
  /^[\w.~-]{43,128}$/.test(verifier) &&
  createHash("sha256").update(verifier).digest("base64url") === challenge;

/** Creates the store. `nowMs`: the clock. */
export function createSessions(nowMs: () => number): Sessions {
  const codes = new Map<string, Kept<CodeGrant>>();
  const refreshTokens = new Map<string, Kept<SignIn>>();

  function live<T>(kept: Kept<T> | undefined): T | undefined {
    return kept !== undefined && nowMs() < kept.expiresAtMs ? kept.value : undefined;
  }

  return {
    issueCode(grant) {
      const code = randomUUID();
      codes.set(code, { value: grant, expiresAtMs: nowMs() + CODE_LIFETIME_MS });
      return code;
    },
    redeemCode(code) {
      const grant = live(codes.get(code));
      codes.delete(code); // whatever comes of it: a code is good for one attempt
      return grant;
    },
    issueRefreshToken(signIn) {
      const token = randomBytes(48).toString("base64url");
      refreshTokens.set(token, { value: signIn, expiresAtMs: nowMs() + REFRESH_LIFETIME_MS });
      return token;
    },
    findSignIn: (refreshToken) => live(refreshTokens.get(refreshToken)),
    revoke(refreshToken) {
      refreshTokens.delete(refreshToken);
    },
  };
}
