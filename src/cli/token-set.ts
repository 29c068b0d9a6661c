import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import * as v from "valibot";
import { isRefusal } from "../core/errors.ts";
import { decodeToken } from "../core/token/bearer.ts";
import { RefusedError, UsageError } from "./context.ts";
import { moment, shown } from "./printable.ts";

const schema = v.object({
  domain: v.string(),
  client_id: v.string(),
  scope: v.optional(v.string()),
  access_token: v.string(),
  id_token: v.optional(v.string()),
  refresh_token: v.optional(v.string()),
});

/** Tokens as they are kept in a file, with what a refresh needs to know. */
export type TokenSet = v.InferOutput<typeof schema>;

/** Which token is to be printed. */
export const PRINTABLE_TOKENS = ["access", "id", "refresh"] as const;
/** One of {@link PRINTABLE_TOKENS}. */
export type PrintableToken = (typeof PRINTABLE_TOKENS)[number];

/** The token of a set that was asked for. */
export function tokenOf(set: TokenSet, kind: PrintableToken): string {
  const token = { access: set.access_token, id: set.id_token, refresh: set.refresh_token }[kind];
  if (token === undefined) throw new RefusedError(`There is no ${kind} token: Cognito has not issued one.`);
  return token;
}

/** Reads a file that {@link saveTokenSet} wrote. */
export async function loadTokenSet(file: string): Promise<TokenSet> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(file, "utf8"));
  } catch {
    throw new UsageError(`${file} is not a file that "edge token login --save" has written.`);
  }
  const parsed = v.safeParse(schema, value);
  if (parsed.success) return parsed.output;
  throw new UsageError(`${file} is not a file that "edge token login --save" has written.`);
}

/** Refuses before any sign-in what could not be saved after it. */
export async function assertSavable(file: string | undefined): Promise<void> {
  if (file !== undefined && existsSync(file)) await loadTokenSet(file);
}

/**
 * Writes a set for this user alone (0600), in one piece: a reader sees the old file or the new one.
 *
 * @throws {UsageError} where the folder is missing or cannot be written to.
 */
export async function saveTokenSet(file: string, set: TokenSet): Promise<void> {
  const draft = `${file}.${randomUUID()}.tmp`;
  try {
    await writeFile(draft, `${JSON.stringify(set, null, 2)}\n`, { mode: 0o600, flag: "wx" });
    await rename(draft, file);
  } catch (error) {
    await rm(draft, { force: true });
    const reason = error instanceof Error && "code" in error ? error.code : "unknown";
    throw new UsageError(`${file} cannot be written (${reason}).`);
  }
}

/** What a token says of itself, for a summary; nothing of it is verified here. */
export function summarizeToken(token: string, nowMs: number): Readonly<Record<string, string>> {
  const decoded = decodeToken(token);
  if (isRefusal(decoded)) return { form: "not a JWT" };
  const claims = decoded.unverifiedClaims;
  const summary: Record<string, string> = {};
  for (const name of [
    "token_use",
    "iss",
    "sub",
    "client_id",
    "aud",
    "scope",
    "custom:tenant_id",
    "custom:role",
  ])
    if (claims[name] !== undefined) summary[name] = shown(claims[name]);
  if (typeof claims["exp"] === "number") summary["exp"] = moment(claims["exp"], nowMs);
  return summary;
}
