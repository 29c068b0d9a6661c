import type { VerifiedToken } from "./verify.ts";

/** Tokens whose signature this isolate has already verified. */
export interface VerifiedCache {
  /** Exactly this token, or undefined; never one that differs in a single character. */
  get(token: string, nowMs: number): VerifiedToken | undefined;
  set(token: string, verified: VerifiedToken, nowMs: number): void;
  delete(token: string): void;
}

/** A cache that holds nothing: every token is verified on every request. */
export const createNoCache = (): VerifiedCache => ({
  get: () => undefined,
  set: () => undefined,
  delete: () => undefined,
});
