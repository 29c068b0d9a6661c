import { type ClientDocument, isMalformed, plainDocument, type StoredDocument } from "./m2m-document.ts";
import type { ClientChange, Plan } from "./m2m-plan.ts";
import { shown } from "./printable.ts";

/** Tenants of one client that are written out; --json has all of them. */
const MAX_TENANTS_SHOWN = 20;

/** Tenants on one line, the first of them where there are many. */
export function tenantsText(tenants: readonly string[]): string {
  if (tenants.length === 0) return "no tenant";
  const more = tenants.length - MAX_TENANTS_SHOWN;
  const first = tenants.slice(0, MAX_TENANTS_SHOWN).map((tenant) => shown(tenant));
  return more > 0 ? `${first.join(", ")} and ${more} more` : first.join(", ");
}

const documentLine = ({ tenants, role, disabled }: ClientDocument): string =>
  `${tenantsText(tenants)}${role === undefined ? "" : `; role ${shown(role)}`}${disabled ? "; disabled" : ""}`;

/** What KV holds, on one line. */
export const storedLine = (document: StoredDocument | undefined): string =>
  document === undefined
    ? "nothing"
    : isMalformed(document)
      ? `malformed: ${shown(JSON.stringify(document.malformed))}`
      : documentLine(document);

function changedLines({ before, after, addedTenants, removedTenants }: ClientChange): string[] {
  if (before === undefined || after === undefined || isMalformed(before)) return [];
  const lines: string[] = [];
  if (addedTenants.length > 0) lines.push(`    + ${tenantsText(addedTenants)}`);
  if (removedTenants.length > 0) lines.push(`    - ${tenantsText(removedTenants)}`);
  if (before.role !== after.role)
    lines.push(`    ~ role: ${shown(before.role ?? "none")} -> ${shown(after.role ?? "none")}`);
  if (before.disabled !== after.disabled)
    lines.push(`    ~ disabled: ${before.disabled} -> ${after.disabled}`);
  return lines;
}

function changeLines(change: ClientChange): string[] {
  const name = shown(change.clientId);
  switch (change.kind) {
    case "add":
      return [`+ ${name}: ${storedLine(change.after)}`];
    case "remove":
      return [`- ${name}: ${storedLine(change.before)}`];
    case "replace":
      return [`! ${name}: ${storedLine(change.before)}`, `    + replaced by: ${storedLine(change.after)}`];
    case "change":
      return [`~ ${name}`, ...changedLines(change)];
  }
}

const count = ({ changes }: Plan, kind: ClientChange["kind"]): number =>
  changes.filter((change) => change.kind === kind).length;

/** A plan as it is shown before it is carried out. */
export function planLines(plan: Plan): string[] {
  const malformed = count(plan, "replace");
  const { grants } = plan;
  return [
    ...plan.changes.flatMap(changeLines),
    `Plan: ${count(plan, "add")} to add, ${count(plan, "change")} to change, ${count(plan, "remove")} to remove, ${plan.unchanged} unchanged${malformed > 0 ? `, ${malformed} malformed to replace` : ""}. Grants: ${grants.added} added, ${grants.removed} of ${grants.before} removed.`,
  ];
}

const plainStored = (document: StoredDocument | undefined): unknown =>
  document === undefined ? null : isMalformed(document) ? document : plainDocument(document);

/** A plan as data. */
export const planJson = (plan: Plan) => ({
  changes: plan.changes.map((change) => ({
    client_id: change.clientId,
    change: change.kind,
    before: plainStored(change.before),
    after: plainStored(change.after),
    added_tenants: change.addedTenants,
    removed_tenants: change.removedTenants,
  })),
  unchanged: plan.unchanged,
  grants: plan.grants,
});
