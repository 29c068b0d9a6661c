import type { RevocationEntry } from "../core/tenant/revocations.ts";
import { type KvPlace, type ListedKey, listKeys, readValues } from "./kv-documents.ts";

/** An entry of a listing, with the second at which KV drops it; undefined: it stays. */
export interface ListedRevocation extends RevocationEntry {
  readonly expiration: number | undefined;
}

const hasMetadata = ({ metadata }: ListedKey): boolean => metadata !== undefined && metadata !== null;

/** Lists revocations with their metadata, as the gateway does: the value is read only where a key has none. */
export async function listRevocations(place: KvPlace, prefix?: string): Promise<readonly ListedRevocation[]> {
  const keys = await listKeys(place, prefix);
  const bare = keys.filter((key) => !hasMetadata(key)).map(({ name }) => name);
  const values = bare.length === 0 ? new Map<string, string | null>() : await readValues(bare, place);
  return keys.map(({ name, metadata, expiration }) => ({
    name,
    metadata,
    expiration,
    text: values.get(name) ?? undefined,
  }));
}

/** One entry; undefined where there is none. */
export const findRevocation = async (key: string, place: KvPlace): Promise<ListedRevocation | undefined> =>
  (await listRevocations(place, key)).find(({ name }) => name === key);
