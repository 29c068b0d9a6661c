import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import * as v from "valibot";
import { UsageError } from "./context.ts";

/** Which token of a saved set is meant. */
export type TokenKind = "id" | "access";

const tokenSet = v.object({ id_token: v.optional(v.string()), access_token: v.optional(v.string()) });

/** The text of a file, or of standard input where it is `-`. */
export async function readInput(file: string): Promise<string> {
  if (file === "-") return text(process.stdin);
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const reason = error instanceof Error && "code" in error ? error.code : "unknown";
    throw new UsageError(`${file} cannot be read (${reason}).`);
  }
}

/** JSON of a file, or of standard input where it is `-`. */
export async function readJsonInput(file: string): Promise<unknown> {
  const content = await readInput(file);
  try {
    return JSON.parse(content);
  } catch {
    throw new UsageError(`${file === "-" ? "Standard input" : file} is not JSON.`);
  }
}

function fromTokenSet(content: string, kind: TokenKind | undefined): string {
  const parsed = v.safeParse(tokenSet, JSON.parse(content));
  const { id_token: id, access_token: access } = parsed.success ? parsed.output : {};
  const token = kind === undefined ? (id ?? access) : { id, access }[kind];
  if (token === undefined) throw new UsageError(`There is no ${kind ?? "ID or access"} token in this file.`);
  return token;
}

/**
 * A token from a file: the token alone, with or without `Bearer`, or the JSON that `edge token … --save` writes,
 * of which the ID token is taken unless `kind` says otherwise. Does not check that it is a token.
 */
export async function readToken(file: string, kind: TokenKind | undefined): Promise<string> {
  const content = (await readInput(file)).trim();
  if (!content.startsWith("{")) return content.replace(/^(?:authorization: *)?bearer +/i, "");
  try {
    return fromTokenSet(content, kind);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`${file} starts as JSON, but is not.`);
  }
}
