import type { JwksAnswer } from "../core/token/jwks.ts";

const LIMIT_MS = 3_000;

/** Fetches a JWKS as the Worker does: 3 s, no redirects. Rejects with the reason where there is no answer. */
export async function fetchJwks(jwksUrl: string): Promise<JwksAnswer> {
  try {
    const response = await fetch(jwksUrl, { redirect: "manual", signal: AbortSignal.timeout(LIMIT_MS) });
    return response.status === 200
      ? { status: 200, body: await response.json() }
      : { status: response.status };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    throw new Error(`${jwksUrl}: ${cause instanceof Error ? cause.message : "no answer"}`);
  }
}
