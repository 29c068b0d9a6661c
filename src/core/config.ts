import * as v from "valibot";
import { createConfigSchema, type Issuer, issuersOf, type Origin, type Vars } from "./config-schema.ts";
import { once } from "./once.ts";

export type { Issuer, Origin } from "./config-schema.ts";

/** A Cognito user pool whose tokens are accepted. */
export interface UserPool {
  readonly id: string;
  /** App client ids of people; machine clients are listed in KV instead. */
  readonly clientIds: ReadonlySet<string>;
  /** URLs of which an access token's own `aud` must hold one; absent: `aud` is not looked at (RFC 8707). */
  readonly resources?: readonly string[];
  readonly issuers: readonly Issuer[];
}

/** What to do with a request that the token steps would refuse. */
export type Mode = "enforce" | "report";

/** The validated configuration of one environment. Frozen: it is shared between requests. */
export interface Config {
  readonly defaultOrigin: Origin;
  readonly origins: ReadonlyMap<string, Origin>;
  readonly pools: readonly UserPool[];
  /** Exact `iss` to the pool that it belongs to. */
  readonly issuers: ReadonlyMap<string, { readonly issuer: Issuer; readonly pool: UserPool }>;
  readonly corsOrigins: readonly string[];
  /** Seconds after `exp` that a token still passes; default 0, at most 300. */
  readonly expToleranceSeconds: number;
  /** Seconds that `iat` and `nbf` may lie in the future; default 30, at most 300. */
  readonly skewToleranceSeconds: number;
  /** Milliseconds until the origin's response headers; default 30_000. */
  readonly originTimeoutMs: number;
  readonly forwardAuthorization: boolean;
  readonly mode: Mode;
  readonly realm: string;
  /** Sent as `x-origin-secret`: the first of up to two values. */
  readonly originSecret?: string;
}

/** A configuration, or every fault in it: `path: what is wrong`. Faults never repeat a secret's value. */
export type Parsed<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly faults: readonly string[] };

const configSchema = once(createConfigSchema);

/** The variables and secrets that {@link parseConfig} looks at. */
export const configVariables = (): readonly string[] => Object.keys(configSchema().entries);

function buildConfig(vars: Vars): Config {
  const pools = vars.USER_POOLS.map(
    (table): UserPool => ({
      id: table.id,
      clientIds: new Set(table.client_ids),
      issuers: issuersOf(table),
      ...(table.resources && { resources: table.resources }),
    }),
  );
  const issuers = new Map(
    pools.flatMap((pool) => pool.issuers.map((issuer) => [issuer.issuer, { issuer, pool }] as const)),
  );
  const originSecret = vars.ORIGIN_SECRET?.[0];
  return Object.freeze({
    defaultOrigin: vars.ORIGIN_URL,
    origins: new Map(Object.entries(vars.ORIGINS)),
    pools,
    issuers,
    corsOrigins: vars.CORS_ORIGINS,
    expToleranceSeconds: vars.EXP_TOLERANCE_SECONDS,
    skewToleranceSeconds: vars.SKEW_TOLERANCE_SECONDS,
    originTimeoutMs: vars.ORIGIN_TIMEOUT_MS,
    forwardAuthorization: vars.FORWARD_AUTHORIZATION,
    mode: vars.MODE,
    realm: vars.REALM,
    ...(originSecret !== undefined && { originSecret }),
  });
}

function faultOf(issue: v.BaseIssue<unknown>, within: string | undefined): string {
  const path = [within, v.getDotPath(issue)].filter((part) => part != null).join(".");
  if (issue.path?.at(-1)?.origin === "key")
    return `${path}: ${issue.expected === "never" ? "is not known here" : "is missing"}`;
  return path === "" ? issue.message : `${path}: ${issue.message}`;
}

/** Every fault that valibot found, each as `path: what is wrong`; paths start at `within`, where it is given. */
export const faultsOf = (issues: readonly v.BaseIssue<unknown>[], within?: string): string[] =>
  issues.map((issue) => faultOf(issue, within));

/**
 * Validates the variables and secrets of an environment (README, Configuration). Numbers, booleans, arrays
 * and tables may come as strings of JSON. Other members are ignored: they are bindings. Does not check that
 * hosts exist, nor the bindings themselves.
 */
export function parseConfig(vars: unknown): Parsed<Config> {
  const result = v.safeParse(configSchema(), vars);
  if (!result.success) return { ok: false, faults: faultsOf(result.issues) };
  return { ok: true, value: buildConfig(result.output) };
}
