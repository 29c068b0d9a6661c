import { isRefusal } from "../core/errors.ts";
import { decodeToken, MAX_TOKEN_CHARS } from "../core/token/bearer.ts";
import { RefusedError } from "./context.ts";
import { moment, shown } from "./printable.ts";

/** A token taken apart. Nothing in it is verified. */
export interface DecodedToken {
  readonly verified: false;
  readonly header: Readonly<Record<string, unknown>>;
  readonly claims: Readonly<Record<string, unknown>>;
}

const TIMES = new Set(["exp", "iat", "nbf", "auth_time"]);

/** Decodes a token as the gateway would. Rejects what the gateway would call `malformed_token`. */
export function decode(token: string): DecodedToken {
  const decoded = decodeToken(token);
  if (isRefusal(decoded))
    throw new RefusedError(
      token.length > MAX_TOKEN_CHARS
        ? `This is longer than the ${MAX_TOKEN_CHARS} characters that the gateway looks at.`
        : "This is not a JWT of three base64url segments with JSON inside; the gateway answers malformed_token.",
    );
  return { verified: false, header: decoded.unverifiedHeader, claims: decoded.unverifiedClaims };
}

const claimLine = (name: string, value: unknown, nowMs: number): string =>
  `  ${shown(name)}: ${TIMES.has(name) && typeof value === "number" ? moment(value, nowMs) : shown(value, 500)}`;

/** The lines that are shown of a token. */
export const decodedLines = ({ header, claims }: DecodedToken, nowMs: number): readonly string[] => [
  "Not verified: anybody can write such a token. (edge explain verifies.)",
  "header",
  ...Object.entries(header).map(([name, value]) => claimLine(name, value, nowMs)),
  "claims",
  ...Object.entries(claims).map(([name, value]) => claimLine(name, value, nowMs)),
];
