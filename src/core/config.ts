import { readVars, secretValues, type Vars } from "./config-variables.ts";
import { isTable } from "./shape.ts";
import { type Issuer, issuersOf } from "./user-pools.ts";

export type { Issuer } from "./user-pools.ts";

/** An API behind the gateway. */
export interface Origin {
  /** Scheme, host and stage path, without a final slash: `https://abc.execute-api.us-east-2.amazonaws.com/prod`. */
  readonly baseUrl: string;
  /** Host and port, as the `Host` header names them. */
  readonly host: string;
  /** The stage path, or empty: `/prod`. */
  readonly basePath: string;
}

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

function originAt(text: string): Origin {
  const url = new URL(text);
  const basePath = url.pathname.replace(/\/+$/, "");
  return { baseUrl: url.origin + basePath, host: url.host, basePath };
}

function buildConfig(vars: Vars): Config {
  const pools = vars.USER_POOLS.map(
    (table): UserPool => ({
      id: table.id,
      clientIds: new Set(table.client_ids),
      issuers: issuersOf(table),
      ...(table.resources && { resources: [...table.resources] }),
    }),
  );
  const issuers = new Map(
    pools.flatMap((pool) => pool.issuers.map((issuer) => [issuer.issuer, { issuer, pool }] as const)),
  );
  const origins = Object.entries(vars.ORIGINS ?? {}).map(([name, url]) => [name, originAt(url)] as const);
  const [originSecret] = vars.ORIGIN_SECRET === undefined ? [] : secretValues(vars.ORIGIN_SECRET);
  return Object.freeze({
    defaultOrigin: originAt(vars.ORIGIN_URL),
    origins: new Map(origins),
    pools,
    issuers,
    corsOrigins: [...(vars.CORS_ORIGINS ?? [])],
    expToleranceSeconds: vars.EXP_TOLERANCE_SECONDS ?? 0,
    skewToleranceSeconds: vars.SKEW_TOLERANCE_SECONDS ?? 30,
    originTimeoutMs: vars.ORIGIN_TIMEOUT_MS ?? 30_000,
    forwardAuthorization: vars.FORWARD_AUTHORIZATION ?? true,
    mode: vars.MODE ?? "enforce",
    realm: vars.REALM ?? "edge",
    ...(originSecret !== undefined && { originSecret }),
  });
}

/**
 * Validates the variables and secrets of an environment (README, Configuration). Numbers, booleans, arrays
 * and tables may come as strings of JSON. Other members are ignored: they are bindings. Does not check that
 * hosts exist, nor the bindings themselves.
 */
export function parseConfig(env: unknown): Parsed<Config> {
  if (!isTable(env)) return { ok: false, faults: ["must be a table of variables"] };
  const { vars, faults } = readVars(env);
  return vars === undefined ? { ok: false, faults } : { ok: true, value: buildConfig(vars) };
}
