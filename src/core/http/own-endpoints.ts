import type { IRequest } from "itty-router";
import { IttyRouter } from "itty-router/IttyRouter"; // alone: what the package makes beside it takes time at each start
import type { Config } from "../config.ts";
import type { Answer } from "../decision.ts";
import { once } from "../once.ts";
import type { CompiledPolicy } from "../policy/schema.ts";
import type { Scope } from "../scope.ts";
import { JWKS_FRESH_MS } from "../token/issuer-keys.ts";
import type { Jwks, JwksHealth, JwksSources } from "../token/jwks.ts";
import { VERSION } from "../version.ts";
import { canonicalPath } from "./path.ts";

/** RFC 9728 section 3.1. */
export const METADATA_PATH = "/.well-known/oauth-protected-resource";
/** Liveness for monitors. */
const HEALTH_PATH = "/.well-known/edge-authorizer/health";

const PREFIX = "/.well-known/";

/** What the endpoints tell of. */
export interface OwnEndpointsContext {
  readonly config: Config;
  readonly policy: CompiledPolicy;
  readonly jwks: Jwks;
  readonly sources: JwksSources;
  readonly scope: Scope;
  readonly gatewayOrigin: string;
}

const jsonAnswer = (status: number, body: unknown): Answer => ({
  status,
  headers: [
    ["content-type", "application/json"],
    ["cache-control", "no-store"],
  ],
  body: JSON.stringify(body),
});

/** Protected-resource metadata (RFC 9728 section 2): whose tokens, in which header, with which scopes. */
function metadata({ config, policy, gatewayOrigin }: OwnEndpointsContext): Answer {
  const scopes = policy.routes.flatMap((route) => route.scopes ?? []);
  if (policy.m2mScope !== undefined) scopes.push(policy.m2mScope);
  const issuers = config.pools.flatMap((pool) => pool.issuers.filter(({ form }) => form !== "updated"));
  return jsonAnswer(200, {
    resource: gatewayOrigin,
    authorization_servers: issuers.map(({ issuer }) => issuer),
    bearer_methods_supported: ["header"],
    ...(scopes.length > 0 && { scopes_supported: [...new Set(scopes)] }),
  });
}

const newest = (sets: readonly JwksHealth[]): JwksHealth | undefined =>
  sets.toSorted((a, b) => (b.fetchedAtMs ?? 0) - (a.fetchedAtMs ?? 0))[0];

async function health({ config, jwks, sources, scope }: OwnEndpointsContext): Promise<Answer> {
  const pools = await Promise.all(
    config.pools.map(async ({ id, issuers }) => {
      const sets = await Promise.all(issuers.map((issuer) => jwks.health(issuer, sources, scope)));
      const set = newest(sets);
      const ageMs = set?.fetchedAtMs === undefined ? undefined : Math.max(0, scope.now() - set.fetchedAtMs);
      return {
        id,
        keys: set?.keys ?? 0,
        ageMs,
        healthy: ageMs !== undefined && ageMs <= JWKS_FRESH_MS && !sets.some((each) => each.lastFetchFailed),
      };
    }),
  );
  const status = pools.every(({ keys }) => keys === 0) ? 503 : 200;
  return jsonAnswer(status, {
    status: pools.every(({ healthy }) => healthy) ? "ok" : "degraded",
    version: VERSION,
    pools: pools.map(({ id, keys, ageMs }) => ({
      id,
      keys,
      age_seconds: ageMs === undefined ? null : Math.floor(ageMs / 1000),
    })),
  });
}

/** Health of a gateway whose configuration does not validate: it forwards nothing. */
export const misconfiguredHealth = (): Answer =>
  jsonAnswer(503, { status: "degraded", version: VERSION, pools: [], error: "misconfigured" });

const router = once(() =>
  IttyRouter<IRequest, [OwnEndpointsContext], Answer>()
    .get(METADATA_PATH, (_request, context) => metadata(context))
    .get(HEALTH_PATH, (_request, context) => health(context)),
);

const OWN_PATHS = new Set([METADATA_PATH, HEALTH_PATH]);

/** Is this path one of the gateway's own, which no route can shadow? `path` is canonical. */
export const isOwnPath = (path: string): boolean =>
  path.startsWith(PREFIX) && OWN_PATHS.has(path.endsWith("/") ? path.slice(0, -1) : path);

/** Is this the address of the health endpoint? `rawPath` as it came. */
export const isHealthPath = (rawPath: string): boolean =>
  canonicalPath(rawPath)?.path.replace(/\/$/, "") === HEALTH_PATH;

/** The methods of the gateway's own endpoints. */
export const OWN_METHODS = ["GET", "HEAD"] as const;

/** Answers one of the gateway's own endpoints; undefined for a method that they do not take. */
export async function answerOwnEndpoint(
  method: string,
  path: string,
  context: OwnEndpointsContext,
): Promise<Answer | undefined> {
  const isHead = method === "HEAD";
  // the router sees the canonical path, not the client's spelling of it
  const answer = await router().fetch(
    { method: isHead ? "GET" : method, url: `https://gateway${path}` },
    context,
  );
  return answer && isHead ? { ...answer, body: null } : answer;
}
