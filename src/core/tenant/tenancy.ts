import { isRefusal, type Refusal, refusal } from "../errors.ts";
import type { CompiledRoute } from "../policy/schema.ts";
import { isTenant, type Principal } from "../principal.ts";
import type { Scope } from "../scope.ts";
import {
  type AllowListAnswer,
  type AllowLists,
  allowsAny,
  allowsTenant,
  type ReadAllowList,
} from "./allow-list.ts";

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

/** What a machine's list says of the tenant that it names. */
function listedTenancy(list: AllowListAnswer, tenantHeader: string | null): Tenancy | Refusal {
  if (list === "unavailable") return refusal("allowlist_unavailable");
  if (list === "none" || !allowsAny(list)) return refusal("tenant_not_allowed");
  if (tenantHeader === null) return { tenant: undefined, role: list.role };
  if (!allowsTenant(list, tenantHeader)) return refusal("tenant_not_allowed");
  return { tenant: tenantHeader, role: list.role };
}

/** The path may name the tenant too. */
function agreeing(
  tenancy: Tenancy | Refusal,
  { tenantSegment }: CompiledRoute,
  segments: readonly string[],
): Tenancy | Refusal {
  if (isRefusal(tenancy) || tenantSegment === undefined) return tenancy;
  const named = segments[tenantSegment];
  return named !== undefined && named === tenancy.tenant ? tenancy : refusal("tenant_mismatch");
}

/**
 * The tenant that the caller may act for: a person's claim, which a sent `x-tenant-id` must equal; a machine's
 * `x-tenant-id`, which its allow-list must hold. `tenantParam` must equal either. Refuses with
 * `missing_tenant_claim`, `missing_tenant_header`, `tenant_mismatch`, `tenant_not_allowed` or
 * `allowlist_unavailable`. Without a promise unless a list has to be read. Does not check the role.
 */
export function resolveTenancy(
  principal: Principal,
  route: CompiledRoute,
  segments: readonly string[],
  tenantHeader: string | null,
  { allowLists, readAllowList }: TenancySources,
  scope: Scope,
): Tenancy | Refusal | Promise<Tenancy | Refusal> {
  if (principal.caller !== "m2m")
    return agreeing(personTenancy(principal, route, tenantHeader), route, segments);
  const isNamed = tenantHeader !== null || route.tenant;
  if (isNamed && !isTenant(tenantHeader)) return refusal("missing_tenant_header");
  const judge = (list: AllowListAnswer): Tenancy | Refusal =>
    agreeing(listedTenancy(list, tenantHeader), route, segments);
  const list = allowLists.find(principal.sub, readAllowList, scope);
  return list instanceof Promise ? list.then(judge) : judge(list);
}
