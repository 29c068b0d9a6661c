import type { Config, Origin, Parsed } from "./config.ts";
import { createMatcher, type Matcher } from "./policy/matcher.ts";
import type { CompiledPolicy, CompiledRoute } from "./policy/schema.ts";
import type { Scope } from "./scope.ts";
import { type AllowLists, createAllowLists, type ReadAllowList } from "./tenant/allow-list.ts";
import { createRevocations, type ListRevocations, type Revocations } from "./tenant/revocations.ts";
import { createJwks, type Jwks, type JwksSources } from "./token/jwks.ts";
import { createVerifiedCache, type VerifiedCache } from "./token/verified-cache.ts";

/** A configuration, a policy and what an isolate remembers between requests. */
export interface Gateway {
  readonly config: Config;
  readonly policy: CompiledPolicy;
  readonly matcher: Matcher;
  readonly jwks: Jwks;
  readonly verified: VerifiedCache;
  readonly allowLists: AllowLists;
  readonly revocations: Revocations;
}

/** Asks a rate limit; false: over it. Does not reject: a limit that cannot be asked limits nobody. */
export type RateLimit = (key: string) => Promise<boolean>;

/** Everything that one request lends: its clock, and the stores behind the isolate's copies. */
export interface Sources {
  readonly scope: Scope;
  readonly jwks: JwksSources;
  readonly readAllowList: ReadAllowList;
  /** Undefined: revocations are not used. */
  readonly listRevocations: ListRevocations | undefined;
  /** By client address, on public routes; undefined: no limit. */
  readonly publicRateLimit: RateLimit | undefined;
  /** By tenant, on authenticated routes; undefined: no limit. */
  readonly tenantRateLimit: RateLimit | undefined;
}

/** The API that a route's requests go to. */
export const originOf = (route: CompiledRoute, config: Config): Origin =>
  (route.origin === undefined ? undefined : config.origins.get(route.origin)) ?? config.defaultOrigin;

/** Joins configuration and policy; a route to an origin that is not configured is a fault. */
export function createGateway(config: Config, policy: CompiledPolicy): Parsed<Gateway> {
  const faults = policy.routes.flatMap(({ origin }, index) =>
    origin === undefined || config.origins.has(origin)
      ? []
      : [`routes.${index}.origin: is not one of ORIGINS`],
  );
  if (faults.length > 0) return { ok: false, faults };
  const value: Gateway = {
    config,
    policy,
    matcher: createMatcher(policy.routes),
    jwks: createJwks(),
    verified: createVerifiedCache(),
    allowLists: createAllowLists(),
    revocations: createRevocations(),
  };
  return { ok: true, value };
}
