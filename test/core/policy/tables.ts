import { compilePolicy } from "../../../src/core/policy/define.ts";
import { parsePolicy } from "../../../src/core/policy/reading.ts";
import type { CompiledPolicy, CompiledRoute, Route } from "../../../src/core/policy/schema.ts";

/** A policy that must be right, unreachable routes aside. */
export function parsedPolicy(policy: unknown): CompiledPolicy {
  const parsed = parsePolicy(policy);
  if (!parsed.ok) throw new Error(parsed.faults.join("\n"));
  return parsed.value;
}

/** Routes that must be right. */
export const routesOf = (...routes: Route[]): readonly CompiledRoute[] => parsedPolicy({ routes }).routes;

/** One route that must be right. */
export function routeOf(route: Route, roles: readonly string[] = []): CompiledRoute {
  const [compiled] = parsedPolicy({ roles, routes: [route] }).routes;
  if (compiled === undefined) throw new Error("no route");
  return compiled;
}

/** What is wrong with a policy; nothing where it is right. */
export function policyFaults(policy: unknown): readonly string[] {
  const compiled = compilePolicy(policy);
  return compiled.ok ? [] : compiled.faults;
}
