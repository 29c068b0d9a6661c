import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Parsed } from "../core/config.ts";
import { compilePolicy, PolicyError } from "../core/policy/define.ts";
import type { CompiledPolicy } from "../core/policy/schema.ts";

/** Where a project keeps its policy. */
export const POLICY_FILE = "src/policy.ts";

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/**
 * Runs `src/policy.ts` of a project and compiles what it exports; every fault at once. The file is imported at
 * run time, since the Worker's types that it brings along have no place here.
 */
export async function readPolicyFile(folder: string): Promise<Parsed<CompiledPolicy>> {
  const file = join(folder, POLICY_FILE);
  if (!existsSync(file)) return { ok: false, faults: [`${POLICY_FILE} is missing`] };
  let module: Readonly<Record<string, unknown>>;
  try {
    module = await import(pathToFileURL(file).href);
  } catch (error) {
    if (error instanceof PolicyError) return { ok: false, faults: error.faults };
    return { ok: false, faults: [`${POLICY_FILE} cannot be run: ${messageOf(error)}`] };
  }
  if (module["default"] === undefined)
    return { ok: false, faults: [`${POLICY_FILE} must export a policy as its default`] };
  return compilePolicy(module["default"]);
}
