import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import * as v from "valibot";
import { errorCodes } from "../core/errors.ts";
import { UsageError } from "./context.ts";

const record = v.object({
  event: v.literal("decision"),
  decision: v.picklist(["forward", "refuse", "report", "answer"]),
  method: v.optional(v.string(), "?"),
  route: v.optional(v.string()),
  error: v.optional(v.string()),
  would_have: v.optional(v.picklist(errorCodes())),
  caller: v.optional(v.string()),
  sub: v.optional(v.string()),
  tenant: v.optional(v.string()),
  client_id: v.optional(v.string()),
});

/** A line of the gateway's log, as far as a report reads it. */
export type DecisionLine = v.InferOutput<typeof record>;

/** Characters of the largest event that is put together from several lines. */
const MAX_EVENT_CHARS = 1_000_000;
const MAX_DEPTH = 8;
const MARK = "decision";

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Finds records in any value: they may be members, or JSON in strings, as wrangler's tail has them. */
function collect(value: unknown, depth: number, found: (line: DecisionLine) => void): void {
  if (depth > MAX_DEPTH) return;
  if (typeof value === "string") {
    const start = value.indexOf("{");
    if (start !== -1 && value.includes(MARK)) collect(parse(value.slice(start)), depth + 1, found);
    return;
  }
  if (typeof value !== "object" || value === null) return;
  const parsed = v.safeParse(record, value);
  if (parsed.success) found(parsed.output);
  else for (const member of Object.values(value)) collect(member, depth + 1, found);
}

/** The end of the JSON object that starts at `start`, or -1 where the text ends before it. */
function objectEnd(text: string, start: number): number {
  let depth = 0;
  let isInString = false;
  for (let index = start; index < text.length; index += 1) {
    const character = text[index];
    if (isInString) {
      if (character === "\\") index += 1;
      else if (character === '"') isInString = false;
    } else if (character === '"') isInString = true;
    else if (character === "{") depth += 1;
    else if (character === "}") {
      depth -= 1;
      if (depth === 0) return index + 1;
    }
  }
  return -1;
}

/** Takes a log line by line: objects on one line, anywhere in it, and objects over several lines. */
function createLineReader(found: (line: DecisionLine) => void): (line: string) => void {
  let pending = "";
  return (line) => {
    if (pending === "" && !line.includes("{")) return;
    const isStart = pending === "";
    const text = isStart ? line : `${pending}\n${line}`;
    let start = text.indexOf("{");
    for (;;) {
      const end = start === -1 ? -1 : objectEnd(text, start);
      if (end === -1) break;
      collect(parse(text.slice(start, end)), 0, found);
      start = text.indexOf("{", end);
    }
    const mayGoOn = start !== -1 && (!isStart || line.trimStart().startsWith("{"));
    const rest = mayGoOn ? text.slice(start) : "";
    pending = rest.length > MAX_EVENT_CHARS ? "" : rest;
  };
}

/**
 * Reads every decision of a saved log, in its order: JSON lines, `wrangler tail --format json`, or lines that
 * hold a record among other text.
 *
 * @throws {UsageError} where the file cannot be read.
 */
export async function readDecisions(file: string, found: (line: DecisionLine) => void): Promise<void> {
  const input = file === "-" ? process.stdin : createReadStream(file);
  const take = createLineReader(found);
  try {
    for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) take(line);
  } catch (error) {
    const reason = error instanceof Error && "code" in error ? error.code : "unknown";
    throw new UsageError(`${file} cannot be read (${reason}).`);
  }
}
