import { type ClientDocument, grantsOf, isMalformed, type StoredDocument } from "./m2m-document.ts";

/** What is to be done to one client. `replace`: the text that is there cannot be read by the gateway. */
export interface ClientChange {
  readonly clientId: string;
  readonly kind: "add" | "remove" | "change" | "replace";
  readonly before: StoredDocument | undefined;
  /** Undefined: its key is removed. */
  readonly after: ClientDocument | undefined;
  readonly addedTenants: readonly string[];
  readonly removedTenants: readonly string[];
}

/** Everything that is to be done, and what it means. A grant is one tenant of one client that is not disabled. */
export interface Plan {
  readonly changes: readonly ClientChange[];
  readonly unchanged: number;
  readonly grants: { readonly before: number; readonly added: number; readonly removed: number };
}

/** A share of the grants that may go without being asked for twice. */
const MAX_REMOVED_SHARE = 1 / 3;

const tenantsOf = (document: StoredDocument | undefined): readonly string[] =>
  document === undefined || isMalformed(document) ? [] : document.tenants;

/** Members of `all` that `others` lacks. */
function without(all: readonly string[], others: readonly string[]): string[] {
  const known = new Set(others);
  return all.filter((item) => !known.has(item));
}

function isSame(before: StoredDocument, after: ClientDocument): boolean {
  if (isMalformed(before) || before.role !== after.role || before.disabled !== after.disabled) return false;
  return (
    before.tenants.length === after.tenants.length &&
    before.tenants.every((tenant, index) => tenant === after.tenants[index])
  );
}

function kindOf(
  before: StoredDocument | undefined,
  after: ClientDocument | undefined,
): ClientChange["kind"] | undefined {
  if (after === undefined) return before === undefined ? undefined : "remove";
  if (before === undefined) return "add";
  if (isSame(before, after)) return undefined;
  return isMalformed(before) ? "replace" : "change";
}

/** What leads from what is there to what is wanted, for the clients of either. */
export function planChanges(
  current: ReadonlyMap<string, StoredDocument>,
  wanted: ReadonlyMap<string, ClientDocument>,
): Plan {
  const changes: ClientChange[] = [];
  const grants = { before: 0, added: 0, removed: 0 };
  let unchanged = 0;
  for (const clientId of [...new Set([...current.keys(), ...wanted.keys()])].toSorted()) {
    const before = current.get(clientId);
    const after = wanted.get(clientId);
    grants.before += grantsOf(before).length;
    const kind = kindOf(before, after);
    if (kind === undefined) {
      unchanged += 1;
      continue;
    }
    grants.added += without(grantsOf(after), grantsOf(before)).length;
    grants.removed += without(grantsOf(before), grantsOf(after)).length;
    changes.push({
      clientId,
      kind,
      before,
      after,
      addedTenants: without(tenantsOf(after), tenantsOf(before)),
      removedTenants: without(tenantsOf(before), tenantsOf(after)),
    });
  }
  return { changes, unchanged, grants };
}

/** Does it take away more than a third of the grants? */
export const removesMuch = ({ grants }: Plan): boolean => grants.removed > grants.before * MAX_REMOVED_SHARE;
