import type { Scope } from "../scope.ts";
import { isTable } from "../shape.ts";
import { createFreshCopies, UNAVAILABLE } from "./fresh-copies.ts";

/** What can be revoked, as the keys in KV spell it: `<kind>:<value>`. */
export const REVOCATION_KINDS = ["jti", "origin_jti", "sub", "client", "tenant", "kid"] as const;
/** One of {@link REVOCATION_KINDS}. */
export type RevocationKind = (typeof REVOCATION_KINDS)[number];

/** A key of the namespace with its document: the metadata, or the parsed value where there is none. */
export interface RevocationEntry {
  readonly name: string;
  /** What the metadata holds; undefined or null: none, so that `text` counts. */
  readonly metadata?: unknown;
  /** The value of a key without metadata. */
  readonly text?: string | undefined;
}

/** Milliseconds that a request waits for another one's listing: above the adapter's limit of 10 s. */
const SHARED_LIMIT_MS = 11_000;

/** Lists every live revocation. At most 10 s; may reject. */
export type ListRevocations = () => Promise<readonly RevocationEntry[]>;

/** What of a token and its request can be revoked. */
export type Revocable = { readonly [Kind in RevocationKind]: string | undefined };

/** `unavailable`: the list cannot be read, or the entry that names this token is malformed. */
export type RevocationAnswer = "live" | "revoked" | "unavailable";

/** The revocations that this isolate has read. */
export interface Revocations {
  /** `iat`: seconds since the epoch, compared with an entry's `before`. */
  check(
    revocable: Revocable,
    iat: number,
    list: ListRevocations,
    scope: Scope,
  ): RevocationAnswer | Promise<RevocationAnswer>;
}

/** Tokens issued before this second are refused; `Infinity` refuses all of them. */
type Before = number | "malformed";

function parseBefore({ metadata, text }: RevocationEntry): Before {
  let document = metadata;
  if (document === undefined || document === null) {
    if (text === undefined || text === "") return Number.POSITIVE_INFINITY;
    try {
      document = JSON.parse(text);
    } catch {
      return "malformed";
    }
  }
  if (!isTable(document)) return "malformed";
  const { before } = document;
  if (before === undefined) return Number.POSITIVE_INFINITY;
  return typeof before === "number" && Number.isFinite(before) ? before : "malformed";
}

function index(entries: readonly RevocationEntry[], scope: Scope): ReadonlyMap<string, Before> {
  const known = new Map<string, Before>();
  let malformed = 0;
  for (const entry of entries) {
    const before = parseBefore(entry);
    if (before === "malformed") malformed += 1;
    known.set(entry.name, before);
  }
  if (malformed > 0) scope.report({ event: "revocation_malformed", entries: malformed });
  return known;
}

function judge(known: ReadonlyMap<string, Before>, revocable: Revocable, iat: number): RevocationAnswer {
  let answer: RevocationAnswer = "live";
  for (const kind of REVOCATION_KINDS) {
    const value = revocable[kind];
    const before = value === undefined ? undefined : known.get(`${kind}:${value}`);
    if (before === "malformed") answer = "unavailable";
    else if (before !== undefined && iat < before) return "revoked";
  }
  return answer;
}

/** Creates the isolate's copy of the revocations, empty: one listing, whatever the number of requests. */
export function createRevocations(): Revocations {
  const copies = createFreshCopies<ReadonlyMap<string, Before>>(1, () => 1, SHARED_LIMIT_MS);

  async function readAll(list: ListRevocations, scope: Scope): Promise<ReadonlyMap<string, Before>> {
    try {
      return index(await list(), scope);
    } catch (error) {
      scope.report({ event: "revocations_read_failed" });
      throw error;
    }
  }

  return {
    check(revocable, iat, list, scope) {
      const answer = (known: ReadonlyMap<string, Before> | typeof UNAVAILABLE): RevocationAnswer =>
        known === UNAVAILABLE ? "unavailable" : judge(known, revocable, iat);
      const known = copies.get("all", scope, () => readAll(list, scope));
      return known instanceof Promise ? known.then(answer) : answer(known);
    },
  };
}
