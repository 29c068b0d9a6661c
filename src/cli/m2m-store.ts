import { setTimeout as pause } from "node:timers/promises";
import { RefusedError } from "./context.ts";
import { deleteKeys, type KvPlace, listKeys, readValues, writeValues } from "./kv-documents.ts";
import { documentText, readStored, type StoredDocument } from "./m2m-document.ts";
import type { Plan } from "./m2m-plan.ts";
import { storedLine } from "./m2m-plan-text.ts";
import { shown } from "./printable.ts";
import { createProgress } from "./progress.ts";

/** The texts that KV held at one moment, by client. */
export type Snapshot = ReadonlyMap<string, string>;

/** Differences that are written out. */
const MAX_DIFFERENCES_SHOWN = 20;
/** Cloudflare's copy may take a moment to show what was written. */
const READ_BACK_TRIES = 3;
const READ_BACK_PAUSE_MS = 2_000;

/** Reads the texts of some clients; those without one are left out. */
export async function readClients(clientIds: readonly string[], place: KvPlace): Promise<Snapshot> {
  const values = await readValues(clientIds, place, createProgress("Read"));
  const snapshot = new Map<string, string>();
  for (const [clientId, text] of values) if (text !== null) snapshot.set(clientId, text);
  return snapshot;
}

/** Reads the texts of all clients, those of `last` at the end: what is about to be written is read the latest. */
export async function readAllClients(place: KvPlace, last: readonly string[] = []): Promise<Snapshot> {
  const isLast = new Set(last);
  const names = (await listKeys(place)).map(({ name }) => name);
  const inOrder = [...names.filter((name) => !isLast.has(name)), ...names.filter((name) => isLast.has(name))];
  return inOrder.length === 0 ? new Map() : readClients(inOrder, place);
}

/** What the gateway makes of the texts. */
export const documentsOf = (snapshot: Snapshot): Map<string, StoredDocument> =>
  new Map([...snapshot].map(([clientId, text]) => [clientId, readStored(text)]));

/** Clients whose text is not the same in both, each with its two sides. */
function differences(seen: Snapshot, found: Snapshot, titles: readonly [string, string]): string[] {
  const line = (text: string | undefined): string =>
    storedLine(text === undefined ? undefined : readStored(text));
  return [...new Set([...seen.keys(), ...found.keys()])]
    .filter((clientId) => seen.get(clientId) !== found.get(clientId))
    .toSorted()
    .flatMap((clientId) => [
      shown(clientId),
      `  ${titles[0]}: ${line(seen.get(clientId))}`,
      `  ${titles[1]}: ${line(found.get(clientId))}`,
    ]);
}

function refuseDifferences(why: string, lines: readonly string[]): void {
  if (lines.length === 0) return;
  const more = lines.length - MAX_DIFFERENCES_SHOWN * 3;
  const written = lines.slice(0, MAX_DIFFERENCES_SHOWN * 3).join("\n");
  throw new RefusedError(`${why}\n${written}${more > 0 ? `\nand ${more / 3} more` : ""}`);
}

/**
 * Refuses where KV no longer holds what the plan saw: it has no compare-and-swap, so this is the nearest to it.
 *
 * @throws {RefusedError} that shows both sides.
 */
export function refuseChanged(seen: Snapshot, found: Snapshot): void {
  refuseDifferences(
    "Nothing was changed: somebody else has changed these since the plan was made. Plan again.",
    differences(seen, found, ["the plan saw", "KV holds now"]),
  );
}

async function readBack(expected: Snapshot, clientIds: readonly string[], place: KvPlace): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    const lines = differences(expected, await readClients(clientIds, place), ["written", "KV holds"]);
    if (lines.length === 0) return;
    if (!place.remote || tries === READ_BACK_TRIES)
      refuseDifferences("KV does not hold what was written. Plan again, and see who else writes:", lines);
    await pause(READ_BACK_PAUSE_MS);
  }
}

/**
 * Carries a plan out, and reads back what was written.
 *
 * @throws {RefusedError} where wrangler fails, or something else is read back.
 */
export async function writePlan({ changes }: Plan, place: KvPlace): Promise<void> {
  const written = new Map<string, string>();
  const removed: string[] = [];
  for (const { clientId, after } of changes)
    if (after === undefined) removed.push(clientId);
    else written.set(clientId, documentText(after));
  const documents = [...written].map(([key, value]) => ({ key, value }));
  if (documents.length > 0) await writeValues(documents, place, createProgress("Written"));
  if (removed.length > 0) await deleteKeys(removed, place, createProgress("Removed"));
  await readBack(written, [...written.keys(), ...removed], place);
}
