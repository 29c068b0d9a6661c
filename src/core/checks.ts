import type { Config, UserPool } from "./config.ts";
import { type Refusal, refusal } from "./errors.ts";
import { hasRole } from "./policy/roles.ts";
import type { CompiledPolicy, CompiledRoute } from "./policy/schema.ts";
import type { Principal } from "./principal.ts";

/** `token_expired` from `exp` plus tolerance on; `token_not_yet_valid` for an `iat` or `nbf` beyond the skew. */
export function checkTime(principal: Principal, config: Config, nowMs: number): Refusal | undefined {
  const now = nowMs / 1000;
  if (now >= principal.exp + config.expToleranceSeconds) return refusal("token_expired");
  const latest = now + config.skewToleranceSeconds;
  const isEarly = principal.iat > latest || (principal.nbf !== undefined && principal.nbf > latest);
  return isEarly ? refusal("token_not_yet_valid") : undefined;
}

/** `invalid_token_use` for anything but an ID or access token, and for the one that the route does not take. */
export function checkTokenUse({ tokenUse }: Principal, route: CompiledRoute): Refusal | undefined {
  const isTaken = (tokenUse === "id" || tokenUse === "access") && route.tokenUse.includes(tokenUse);
  return isTaken ? undefined : refusal("invalid_token_use");
}

/** RFC 8707: an access token's own `aud` is absent, its `client_id`, or holds one of the pool's resources. */
function isForResources(principal: Principal, resources: readonly string[]): boolean {
  const { resource, clientId } = principal;
  if (resource === undefined || (resource === clientId && clientId !== undefined)) return true;
  const audiences: readonly unknown[] = Array.isArray(resource) ? resource : [resource];
  return audiences.some((audience) => typeof audience === "string" && resources.includes(audience));
}

/**
 * `invalid_audience` unless the token was issued to one of the pool's app clients, or to a machine client,
 * which its allow-list lets in instead; and for one of the pool's resources, where it names any.
 */
export function checkAudience(principal: Principal, pool: UserPool): Refusal | undefined {
  const { caller, clientId, tokenUse } = principal;
  const isKnown = caller === "m2m" || (clientId !== undefined && pool.clientIds.has(clientId));
  if (!isKnown) return refusal("invalid_audience");
  if (tokenUse !== "access" || pool.resources === undefined) return undefined;
  return isForResources(principal, pool.resources) ? undefined : refusal("invalid_audience");
}

/** `caller_not_allowed` for a machine on a route for people, or the reverse. */
export const checkCaller = ({ caller }: Principal, route: CompiledRoute): Refusal | undefined =>
  route.callers.includes(caller) ? undefined : refusal("caller_not_allowed");

/** `insufficient_role` below the route's lowest role. */
export const checkRole = (
  role: string | undefined,
  route: CompiledRoute,
  policy: CompiledPolicy,
): Refusal | undefined =>
  route.role === undefined || hasRole(policy.roles, role, route.role)
    ? undefined
    : refusal("insufficient_role");

/** `insufficient_scope` for a machine without the policy's own scope, or any caller without one of the route's. */
export function checkScopes(
  { caller, scopes }: Principal,
  route: CompiledRoute,
  policy: CompiledPolicy,
): Refusal | undefined {
  if (caller === "m2m" && policy.m2mScope !== undefined && !scopes.includes(policy.m2mScope))
    return refusal("insufficient_scope", [policy.m2mScope]);
  if (route.scopes === undefined || route.scopes.some((scope) => scopes.includes(scope))) return undefined;
  return refusal("insufficient_scope", route.scopes);
}

/** `insufficient_group` for a caller in none of the route's groups. */
export const checkGroups = ({ groups }: Principal, route: CompiledRoute): Refusal | undefined =>
  route.groups === undefined || route.groups.some((group) => groups.includes(group))
    ? undefined
    : refusal("insufficient_group");
