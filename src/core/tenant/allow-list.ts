import type { Scope } from "../scope.ts";
import { isTable } from "../shape.ts";
import { utf8Length } from "../utf8.ts";
import { createFreshCopies, UNAVAILABLE } from "./fresh-copies.ts";

/** Which tenants a machine client may act for. */
export interface AllowList {
  /** Every tenant (`"*"`), or these. */
  readonly tenants: "any" | ReadonlySet<string>;
  /** The role that the client acts with. */
  readonly role: string | undefined;
}

/** The machine's list as the decision sees it: none (absent or disabled), unreadable, or a list. */
export type AllowListAnswer = AllowList | "none" | "unavailable";

/** Reads the document of a client from KV: its text, or null. At most 3 s; may reject. */
export type ReadAllowList = (clientId: string) => Promise<string | null>;

/** The allow-lists that this isolate has read. */
export interface AllowLists {
  find(clientId: string, read: ReadAllowList, scope: Scope): AllowListAnswer | Promise<AllowListAnswer>;
}

interface Document {
  readonly tenants: readonly string[];
  readonly role?: string;
  readonly disabled?: boolean;
}

const MEMBERS = ["tenants", "role", "disabled"];

function isDocument(value: unknown): value is Document {
  if (!isTable(value) || !Object.keys(value).every((name) => MEMBERS.includes(name))) return false;
  const { tenants, role, disabled } = value;
  return (
    Array.isArray(tenants) &&
    tenants.every((tenant) => typeof tenant === "string") &&
    (role === undefined || (typeof role === "string" && role !== "")) &&
    (disabled === undefined || typeof disabled === "boolean")
  );
}

// An isolate has 128 MB. What is held is either 10,000 short lists, or ten of 100,000 tenants (some 60 MB).
const MAX_WEIGHT = 1_000_000;
const LEAST_WEIGHT = 100;
const MAX_KEY_BYTES = 512; // of KV

/**
 * Parses the text of an allow-list: `{"tenants":[…],"role":…,"disabled":…}` or a bare array. Undefined where
 * it is anything else. Tenants are looked up as they stand; one that is no possible tenant matches nobody.
 */
export function parseAllowList(text: string): AllowList | "none" | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const document: unknown = Array.isArray(value) ? { tenants: value } : value;
  if (!isDocument(document)) return undefined;
  const { tenants, role, disabled } = document;
  if (disabled === true) return "none";
  const set = new Set(tenants);
  return { tenants: set.has("*") ? "any" : set, role };
}

/** Does the list let its client act for `tenant`? */
export const allowsTenant = ({ tenants }: AllowList, tenant: string): boolean =>
  tenants === "any" || tenants.has(tenant);

/** Does the list let its client in at all? An empty one does not. */
export const allowsAny = ({ tenants }: AllowList): boolean => tenants === "any" || tenants.size > 0;

/** Its tenants; a short list is counted as one of a hundred, for what it costs beside them. */
function weigh(answer: AllowListAnswer): number {
  const tenants = typeof answer === "string" || answer.tenants === "any" ? 0 : answer.tenants.size;
  return Math.max(LEAST_WEIGHT, tenants);
}

const isKvKey = (key: string): boolean =>
  key !== "" && key !== "." && key !== ".." && utf8Length(key) <= MAX_KEY_BYTES;

/** Creates the isolate's allow-lists, empty. A malformed document is `unavailable`, never a list. */
export function createAllowLists(): AllowLists {
  const copies = createFreshCopies<AllowListAnswer>(MAX_WEIGHT, weigh);

  async function readOne(clientId: string, read: ReadAllowList, scope: Scope): Promise<AllowListAnswer> {
    let text: string | null;
    try {
      text = await read(clientId);
    } catch (error) {
      scope.report({ event: "allowlist_read_failed", client_id: clientId });
      throw error;
    }
    if (text === null) return "none";
    const list = parseAllowList(text);
    if (list === undefined) scope.report({ event: "allowlist_malformed", client_id: clientId });
    return list ?? "unavailable";
  }

  const orUnavailable = (answer: AllowListAnswer | typeof UNAVAILABLE): AllowListAnswer =>
    answer === UNAVAILABLE ? "unavailable" : answer;

  return {
    find(clientId, read, scope) {
      if (!isKvKey(clientId)) return "none"; // no list can be under such a key
      const answer = copies.get(clientId, scope, () => readOne(clientId, read, scope));
      return answer instanceof Promise ? answer.then(orUnavailable) : orUnavailable(answer);
    },
  };
}
