import { isRefusal, type Refusal, refusal } from "../errors.ts";
import type { CompiledRoute } from "../policy/schema.ts";
import { isTenant, type Principal } from "../principal.ts";
import type { Scope } from "../scope.ts";
import { type Steps, settled } from "../steps.ts";
import { type AllowLists, allowsAny, allowsTenant, type ReadAllowList } from "./allow-list.ts";

/** For which tenant, and in which role, a caller acts on this request. */
export interface Tenancy {
  readonly tenant: string | undefined;
  readonly role: string | undefined;
}

/** What the tenancy of a machine is looked up with. */
export interface TenancySources {
  readonly allowLists: AllowLists;
  readonly readAllowList: ReadAllowList;
}

function personTenancy(
  principal: Principal,
  route: CompiledRoute,
  tenantHeader: string | null,
): Tenancy | Refusal {
  const tenant = principal.tenantClaim;
  if (tenant === undefined && route.tenant) return refusal("missing_tenant_claim");
  if (tenantHeader !== null && tenantHeader !== tenant) return refusal("tenant_mismatch");
  return { tenant, role: principal.roleClaim };
}

function* machineTenancy(
  clientId: string,
  route: CompiledRoute,
  tenantHeader: string | null,
  sources: TenancySources,
  scope: Scope,
): Steps<Tenancy | Refusal> {
  const isNamed = tenantHeader !== null || route.tenant;
  if (isNamed && !isTenant(tenantHeader)) return refusal("missing_tenant_header");
  const list = yield* settled(sources.allowLists.find(clientId, sources.readAllowList, scope));
  if (list === "unavailable") return refusal("allowlist_unavailable");
  if (list === "none" || !allowsAny(list)) return refusal("tenant_not_allowed");
  if (tenantHeader === null) return { tenant: undefined, role: list.role };
  if (!allowsTenant(list, tenantHeader)) return refusal("tenant_not_allowed");
  return { tenant: tenantHeader, role: list.role };
}

/**
 * The tenant that the caller may act for: a person's claim, which a sent `x-tenant-id` must equal; a machine's
 * `x-tenant-id`, which its allow-list must hold. `tenantParam` must equal either. Refuses with
 * `missing_tenant_claim`, `missing_tenant_header`, `tenant_mismatch`, `tenant_not_allowed` or
 * `allowlist_unavailable`. Does not check the role.
 */
export function* resolveTenancy(
  principal: Principal,
  route: CompiledRoute,
  segments: readonly string[],
  tenantHeader: string | null,
  sources: TenancySources,
  scope: Scope,
): Steps<Tenancy | Refusal> {
  const tenancy =
    principal.caller === "m2m"
      ? yield* machineTenancy(principal.sub, route, tenantHeader, sources, scope)
      : personTenancy(principal, route, tenantHeader);
  if (isRefusal(tenancy) || route.tenantSegment === undefined) return tenancy;
  const named = segments[route.tenantSegment];
  return named !== undefined && named === tenancy.tenant ? tenancy : refusal("tenant_mismatch");
}
