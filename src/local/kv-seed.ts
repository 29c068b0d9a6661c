import type { KvNamespace } from "./gateway.ts";
import type { AllowListDocument } from "./seed.ts";

/** What seeding has found and done, by key. */
export interface Seeding {
  /** Written, since they were absent. */
  readonly written: readonly string[];
  /** There already, and other than the seed: left alone. */
  readonly changed: readonly string[];
}

/** All keys of a namespace are deleted. */
export async function emptyNamespace(namespace: KvNamespace): Promise<void> {
  for (let isComplete = false; !isComplete; ) {
    const { keys, list_complete } = await namespace.list();
    for (const { name } of keys) await namespace.delete(name);
    isComplete = list_complete || keys.length === 0;
  }
}

/** Writes documents that are absent. One that is there is kept: an operator may have changed it. */
export async function seedAllowLists(
  namespace: KvNamespace,
  documents: Readonly<Record<string, AllowListDocument>>,
): Promise<Seeding> {
  const written: string[] = [];
  const changed: string[] = [];
  for (const [clientId, document] of Object.entries(documents)) {
    const seed = JSON.stringify(document);
    const present = await namespace.get(clientId);
    if (present === null) {
      await namespace.put(clientId, seed);
      written.push(clientId);
    } else if (present !== seed) changed.push(clientId);
  }
  return { written, changed };
}
