import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import { RefusedError } from "./context.ts";
import { printable } from "./printable.ts";
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
  /** Seconds since the epoch; undefined: it stays. */
  readonly expiration?: number | undefined;
}

/** A document to write. */
export interface KvDocument {
  readonly key: string;
  readonly value: string;
  readonly metadata?: object;
  /** Seconds, 60 or more; undefined: it stays. */
  readonly expirationTtl?: number | undefined;
}

/** Told after each part of long work. */
export type OnProgress = (done: number, total: number) => void;

/** Keys in one run of wrangler on this machine: few enough that progress is seen. */
const LOCAL_KEYS = 2_000;
/** Keys that Cloudflare takes in one bulk read; wrangler sends them in one request (Cloudflare: KV API). */
const REMOTE_READ_KEYS = 100;
const REMOTE_READS_AT_ONCE = 4;
/** Documents that wrangler sends in one request. */
const WRITE_KEYS = 1_000;

// this machine's copy answers with a table for each key, Cloudflare's with the value itself
const bulkValue = v.nullable(v.union([v.string(), v.object({ value: v.nullable(v.string()) })]));
const listAnswer = v.array(
  v.object({ name: v.string(), metadata: v.optional(v.unknown()), expiration: v.optional(v.number()) }),
);

/** What wrangler says of a failure, and what to do about the usual ones. */
function reasonOf(output: string): string {
  const said = printable(/\[ERROR\]\s*([^\n]+)/.exec(output)?.[1] ?? "wrangler could not be run");
  const isLogin = /log ?in|authenticat|API token|CLOUDFLARE_API_TOKEN/i.test(output);
  return isLogin ? `${said} (npx wrangler login, or set CLOUDFLARE_API_TOKEN)` : said;
}

async function runKv(args: readonly string[], place: KvPlace, what: string): Promise<string> {
  const target = [
    "--binding",
    place.binding,
    "--env",
    place.env ?? "",
    place.remote ? "--remote" : "--local",
  ];
  const run = await runWrangler(["kv", ...args, ...target], { folder: place.folder });
  if (run.exitCode === 0) return run.stdout;
  throw new RefusedError(`${place.binding} cannot be ${what}: ${reasonOf(run.stderr + run.stdout)}`);
}

/** The answer of a run of wrangler in bulk: its input is a file, since a key could look like an option. */
async function runBulk(
  command: readonly string[],
  input: unknown,
  place: KvPlace,
  what: string,
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "edge-kv-"));
  try {
    const file = join(folder, "input.json");
    await writeFile(file, JSON.stringify(input), { mode: 0o600 });
    return await runKv(["bulk", ...command.slice(0, 1), file, ...command.slice(1)], place, what);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function chunksOf<T>(items: readonly T[], size: number): T[][] {
  const chunks: T[][] = [];
  for (let start = 0; start < items.length; start += size) chunks.push(items.slice(start, start + size));
  return chunks;
}

async function readChunk(
  keys: readonly string[],
  place: KvPlace,
): Promise<readonly (readonly [string, string | null])[]> {
  const answer: object = JSON.parse(await runBulk(["get"], keys, place, "read"));
  const values = new Map<string, unknown>(Object.entries(answer)); // any name can be a key
  return keys.map((key) => {
    const value = v.parse(bulkValue, values.get(key) ?? null);
    return [key, typeof value === "string" ? value : (value?.value ?? null)];
  });
}

/**
 * Reads values through wrangler, null where a key is absent. In bulk even for one of them: a key could look
 * like an option, and a value like wrangler's own "Value not found".
 *
 * @throws {RefusedError} where wrangler fails.
 */
export async function readValues(
  keys: readonly string[],
  place: KvPlace,
  onProgress?: OnProgress,
): Promise<ReadonlyMap<string, string | null>> {
  const chunks = chunksOf(keys, place.remote ? REMOTE_READ_KEYS : LOCAL_KEYS);
  const values = new Map<string, string | null>();
  for (const group of chunksOf(chunks, place.remote ? REMOTE_READS_AT_ONCE : 1)) {
    const answers = await Promise.all(group.map((chunk) => readChunk(chunk, place)));
    for (const [key, value] of answers.flat()) values.set(key, value);
    onProgress?.(values.size, keys.length);
  }
  return values;
}

/**
 * Lists the keys of a namespace through wrangler, or those that start with `prefix`.
 *
 * @throws {RefusedError} where wrangler fails.
 */
export async function listKeys(place: KvPlace, prefix?: string): Promise<readonly ListedKey[]> {
  const args = prefix === undefined ? ["key", "list"] : ["key", "list", `--prefix=${prefix}`];
  return v.parse(listAnswer, JSON.parse(await runKv(args, place, "listed")));
}

/** Says how far long work had come when it failed, since what is written stays written. */
async function inParts<T>(
  items: readonly T[],
  write: (part: readonly T[]) => Promise<unknown>,
  onProgress: OnProgress | undefined,
): Promise<void> {
  let done = 0;
  for (const part of chunksOf(items, WRITE_KEYS)) {
    try {
      await write(part);
    } catch (error) {
      if (done === 0 || !(error instanceof RefusedError)) throw error;
      throw new RefusedError(`${error.message}\n${done} of ${items.length} were done before; run it again.`);
    }
    done += part.length;
    onProgress?.(done, items.length);
  }
}

/**
 * Writes documents through wrangler, replacing what is there.
 *
 * @throws {RefusedError} where wrangler fails; it says how many are written.
 */
export const writeValues = (
  documents: readonly KvDocument[],
  place: KvPlace,
  onProgress?: OnProgress,
): Promise<void> =>
  inParts(
    documents,
    (part) =>
      runBulk(
        ["put"],
        part.map(({ expirationTtl, ...document }) => ({
          ...document,
          ...(expirationTtl !== undefined && { expiration_ttl: expirationTtl }),
        })),
        place,
        "written",
      ),
    onProgress,
  );

/**
 * Removes keys through wrangler; an absent one is no failure.
 *
 * @throws {RefusedError} where wrangler fails; it says how many are removed.
 */
export const deleteKeys = (keys: readonly string[], place: KvPlace, onProgress?: OnProgress): Promise<void> =>
  inParts(keys, (part) => runBulk(["delete", "--force"], part, place, "written"), onProgress);
