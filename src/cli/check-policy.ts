import type { CompiledPolicy, CompiledRoute } from "../core/policy/schema.ts";
import { createFindings, type Finding } from "./finding.ts";

const titleOf = ({ pattern, methods }: CompiledRoute): string =>
  methods === undefined ? pattern.text : `${[...methods].join(",")} ${pattern.text}`;

/** Parameters that are called a tenant, and yet are compared with nobody's. */
function unboundTenantParams({ pattern, tenantSegment }: CompiledRoute): string[] {
  return pattern.segments.flatMap((segment, index) =>
    segment.kind === "param" && /tenant/i.test(segment.name) && index !== tenantSegment ? [segment.name] : [],
  );
}

/** What of a valid policy deserves a second look: routes without a tenant check, and routes for everybody. */
export function lintPolicy(policy: CompiledPolicy): readonly Finding[] {
  const { list, warning, note } = createFindings("policy");
  for (const [index, route] of policy.routes.entries()) {
    const title = `routes.${index} ${titleOf(route)}`;
    if (route.access === "public") note(`${title}: public, no token is looked at`);
    if (route.mode === "report" && route.access === "authenticated")
      warning(`${title}: mode is report, so it forwards what it would refuse`);
    if (route.access !== "authenticated") continue;
    if (!route.tenant) warning(`${title}: tenant is false, so callers without a tenant are let in`);
    for (const name of unboundTenantParams(route))
      warning(`${title}: :${name} is not compared with the caller's tenant; set tenantParam: "${name}"`);
  }
  const machines = policy.routes.filter(
    ({ access, callers, scopes }) =>
      access === "authenticated" && callers.includes("m2m") && scopes === undefined,
  );
  if (policy.m2mScope === undefined && machines.length > 0)
    warning(
      "m2mScope is not set: on routes without scopes, the allow-list alone decides which machines get in",
    );
  return list;
}
