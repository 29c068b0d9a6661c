import type { AtStart } from "../at-start.ts";
import type { Parsed } from "../config.ts";
import { unreachableRoutes } from "./lint.ts";
import { compileRead, type PolicyReading, readPolicy } from "./reading.ts";
import type { CompiledPolicy, Policy } from "./schema.ts";

/** A policy that does not validate, with all its faults. */
export class PolicyError extends Error {
  override readonly name = "PolicyError";
  /** `path: what is wrong`, for each fault: `routes.2.role: is not one of roles`. */
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(
      `The policy has ${faults.length === 1 ? "a fault" : `${faults.length} faults`}:\n${faults.join("\n")}`,
    );
    this.faults = faults;
  }
}

/** All that is wrong: with each route, and with their order. */
const allFaults = (({ faults, reaches }: PolicyReading): readonly string[] => {
  const unreachable = unreachableRoutes(reaches).map(
    (index) => `routes.${index}: can never be reached, since earlier routes take all that it takes`,
  );
  return faults.concat(unreachable);
}) satisfies AtStart;

/** Validates a policy as a whole and compiles it; every fault at once, unreachable routes among them. */
export function compilePolicy(input: unknown): Parsed<CompiledPolicy> {
  const reading = readPolicy(input);
  const faults = allFaults(reading);
  return faults.length > 0
    ? { ok: false, faults }
    : { ok: true, value: compileRead(input as Policy, reading) };
}

/**
 * Checks a policy and hands it back unchanged. Its members may be read more than once: a getter has to keep to its word.
 *
 * @throws {PolicyError} with all faults at once: an unknown member or role, a duplicate parameter, a pattern
 * that is not of the form, a route that earlier ones cover completely. Mere overlap is not a fault.
 */
export const definePolicy = (<const Role extends string>(policy: Policy<Role>): Policy<Role> => {
  const faults = allFaults(readPolicy(policy)); // to compile it has time until the first request
  if (faults.length > 0) throw new PolicyError(faults);
  return policy;
}) satisfies AtStart;
