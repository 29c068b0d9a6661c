import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import { runWrangler } from "./wrangler-process.ts";

/** Which copy of which namespace. */
export interface KvPlace {
  /** Folder of `wrangler.toml`. */
  readonly folder: string;
  /** Undefined: the top level. */
  readonly env: string | undefined;
  readonly binding: string;
  readonly remote: boolean;
}

/** A key of a namespace, with the metadata that a listing brings along. */
export interface ListedKey {
  readonly name: string;
  readonly metadata?: unknown;
}

const bulkAnswer = v.record(v.string(), v.object({ value: v.nullable(v.string()) }));
const listAnswer = v.array(v.object({ name: v.string(), metadata: v.optional(v.unknown()) }));

const lastError = (stderr: string): string =>
  /\[ERROR\]\s*([^\n]+)/.exec(stderr)?.[1] ?? "wrangler could not be run";

async function runKv(args: readonly string[], place: KvPlace): Promise<unknown> {
  const target = [
    "--binding",
    place.binding,
    "--env",
    place.env ?? "",
    place.remote ? "--remote" : "--local",
  ];
  const run = await runWrangler(["kv", ...args, ...target], { folder: place.folder });
  if (run.exitCode !== 0) throw new Error(`${place.binding} cannot be read: ${lastError(run.stderr)}`);
  return JSON.parse(run.stdout);
}

/**
 * Reads values through wrangler, null where a key is absent. In bulk even for one of them: a key could look
 * like an option, and a value like wrangler's own "Value not found". Rejects where wrangler does.
 */
export async function readValues(
  keys: readonly string[],
  place: KvPlace,
): Promise<ReadonlyMap<string, string | null>> {
  const folder = await mkdtemp(join(tmpdir(), "edge-kv-"));
  try {
    const file = join(folder, "keys.json");
    await writeFile(file, JSON.stringify(keys));
    const answer = v.parse(bulkAnswer, await runKv(["bulk", "get", file], place));
    return new Map(keys.map((key) => [key, answer[key]?.value ?? null]));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Lists the keys of a namespace through wrangler. Rejects where wrangler does. */
export const listKeys = async (place: KvPlace): Promise<readonly ListedKey[]> =>
  v.parse(listAnswer, await runKv(["key", "list"], place));
