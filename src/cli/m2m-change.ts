import { confirmChange } from "./confirm.ts";
import { RefusedError } from "./context.ts";
import type { KvCommand } from "./kv-target.ts";
import { type ClientDocument, documentWarnings } from "./m2m-document.ts";
import { type Plan, planChanges, removesMuch } from "./m2m-plan.ts";
import { planJson, planLines } from "./m2m-plan-text.ts";
import { documentsOf, refuseChanged, type Snapshot, writePlan } from "./m2m-store.ts";
import { readPolicyFile } from "./policy-file.ts";

/** A change to allow-lists. */
export interface IntendedChange {
  readonly seen: Snapshot;
  readonly wanted: ReadonlyMap<string, ClientDocument>;
  /** Reads again what `seen` was read from. */
  readonly readAgain: (plan: Plan) => Promise<Snapshot>;
  /** Undefined: no limit, since what goes is named on the command line. */
  readonly allowRemovals: boolean | undefined;
}

/** Says what of the wanted documents deserves a second look: roles and tenants that can open nothing. */
export async function warnOf(
  wanted: ReadonlyMap<string, ClientDocument>,
  { chosen, output }: KvCommand,
): Promise<readonly string[]> {
  const policy = await readPolicyFile(chosen.folder);
  const roles = policy.ok ? policy.value.roles : undefined;
  const warnings = [...wanted].flatMap(([clientId, document]) => documentWarnings(clientId, document, roles));
  for (const warning of warnings) output.warn(warning);
  return warnings;
}

/** Shows a plan, and what stands in its way. */
export function showPlan(plan: Plan, { output }: KvCommand): void {
  for (const line of planLines(plan)) output.line(line);
  if (removesMuch(plan))
    output.warn("More than a third of the grants would go: that needs --allow-removals.");
}

/** Shows what is to change, asks, looks again, writes and reads back. */
export async function makeChange(change: IntendedChange, kv: KvCommand): Promise<void> {
  const { output, options, place } = kv;
  const plan = planChanges(documentsOf(change.seen), change.wanted);
  const warnings = await warnOf(change.wanted, kv);
  if (plan.changes.length === 0)
    return output.result({ ok: true, applied: false, ...planJson(plan), warnings }, () =>
      output.line("Nothing to change."),
    );
  for (const line of planLines(plan)) output.line(line);
  if (change.allowRemovals === false && removesMuch(plan))
    throw new RefusedError(
      `Nothing was changed: ${plan.grants.removed} of ${plan.grants.before} grants would go, more than a third. Look again, then use --allow-removals.`,
    );
  await confirmChange(options.yes, "Make this change?");
  refuseChanged(change.seen, await change.readAgain(plan));
  await writePlan(plan, place);
  output.result({ ok: true, applied: true, ...planJson(plan), warnings }, () =>
    output.line(
      `Done, and read back. The gateway sees it within ${place.remote ? "about 90 s, KV's own delay and its copy" : "30 seconds"}.`,
    ),
  );
}
