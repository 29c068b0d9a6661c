import * as v from "valibot";
import { isTenant } from "../core/principal.ts";
import { REVOCATION_KINDS, type RevocationEntry, type RevocationKind } from "../core/tenant/revocations.ts";

/** The longest that a Cognito token lives, and the most that may be tolerated after it. */
export const LONGEST_TOKEN_SECONDS = 86_400 + 300;
/** The least that KV takes (Cloudflare: KV API). */
export const MIN_TTL_SECONDS = 60;

/** Kinds as the command line spells them. */
export const KIND_NAMES = REVOCATION_KINDS.map((kind) => kind.replace("_", "-"));

const MAX_KEY_BYTES = 512; // of KV
/** Kinds of which later tokens are good again, so that only those before a moment are refused. */
const ALIVE_KINDS: readonly RevocationKind[] = ["sub", "client", "tenant"];

/** What an entry refuses: tokens issued before a second, or all. */
export interface RevocationDocument {
  readonly before?: number;
}

/** An entry as it is listed. */
export interface ReadRevocation {
  readonly kind: RevocationKind | undefined;
  readonly value: string;
  /** Undefined: the gateway cannot read it, and answers whom it names with 503. */
  readonly document: RevocationDocument | undefined;
}

/** The kind that a word of the command line means, in either spelling; undefined for none. */
export const kindOf = (word: string): RevocationKind | undefined =>
  REVOCATION_KINDS.find((kind) => kind === word.replace("-", "_"));

/** The key of an entry in KV. */
export const revocationKey = (kind: RevocationKind, value: string): string => `${kind}:${value}`;

/** What is wrong with a value to revoke; undefined where nothing is. */
export function valueFault(kind: RevocationKind, value: string): string | undefined {
  if (value === "") return "VALUE must not be empty.";
  if (kind === "tenant" && !isTenant(value))
    return "A tenant is 1 to 128 visible ASCII characters without comma.";
  if (Buffer.byteLength(revocationKey(kind, value)) > MAX_KEY_BYTES)
    return `VALUE is too long: KV takes keys of ${MAX_KEY_BYTES} bytes.`;
  return undefined;
}

/** Does a revocation of this kind refuse what was issued before now, rather than everything? */
export const refusesBefore = (kind: RevocationKind): boolean => ALIVE_KINDS.includes(kind);

/**
 * Reads a time: `now`, seconds since the epoch, or a date of ISO 8601 with a time zone. In whole seconds,
 * rounded up: a token's `iat` has no fraction, and one of this very second is meant too. Undefined for none.
 */
export function parseTime(text: string, nowMs: number): number | undefined {
  if (text === "now") return Math.floor(nowMs / 1000) + 1;
  if (/^\d{1,11}$/.test(text)) return Number(text);
  if (!/^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d))?$/.test(text)) return undefined;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : Math.ceil(ms / 1000);
}

const documentSchema = v.object({ before: v.optional(v.pipe(v.number(), v.finite())) });

/** The same rule as the gateway's: the metadata, or the value where there is none. */
function documentOf({ metadata, text }: RevocationEntry): RevocationDocument | undefined {
  let document = metadata;
  if (document === undefined || document === null) {
    if (text === undefined || text === "") return {};
    try {
      document = JSON.parse(text);
    } catch {
      return undefined;
    }
  }
  const parsed = v.safeParse(documentSchema, document);
  if (!parsed.success || Array.isArray(document)) return undefined;
  return parsed.output.before === undefined ? {} : { before: parsed.output.before };
}

/** Takes a listed entry apart. */
export function readRevocation(entry: RevocationEntry): ReadRevocation {
  const colon = entry.name.indexOf(":");
  const kind = REVOCATION_KINDS.find((each) => each === entry.name.slice(0, colon));
  return {
    kind,
    value: kind === undefined ? entry.name : entry.name.slice(colon + 1),
    document: documentOf(entry),
  };
}

/** Is nothing that `known` refuses let in by `next`? */
export const isAtLeast = (next: RevocationDocument, known: RevocationDocument): boolean =>
  (next.before ?? Number.POSITIVE_INFINITY) >= (known.before ?? Number.POSITIVE_INFINITY);
