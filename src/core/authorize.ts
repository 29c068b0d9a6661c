import {
  checkAudience,
  checkCaller,
  checkGroups,
  checkRole,
  checkScopes,
  checkTime,
  checkTokenUse,
} from "./checks.ts";
import { type Decision, refuse } from "./decision.ts";
import { errorRow, isRefusal, type Refusal, refusal } from "./errors.ts";
import type { Exchange, Step } from "./exchange.ts";
import { type Gateway, originOf, type RateLimit, type Sources } from "./gateway.ts";
import type { ClientHeaders } from "./http/client-headers.ts";
import { allowedOrigin, isPreflight, preflightAnswer } from "./http/cors.ts";
import { answerOwnEndpoint, isOwnPath, OWN_METHODS } from "./http/own-endpoints.ts";
import { type CanonicalPath, canonicalPath } from "./http/path.ts";
import { type Identity, requestHeadFits, upstreamHeaders } from "./http/upstream-headers.ts";
import type { CompiledRoute } from "./policy/schema.ts";
import type { Principal } from "./principal.ts";
import type { Scope } from "./scope.ts";
import { type Steps, settled } from "./steps.ts";
import type { ListRevocations } from "./tenant/revocations.ts";
import { resolveTenancy } from "./tenant/tenancy.ts";
import { bearerToken } from "./token/bearer.ts";
import { recallToken, verifyToken } from "./token/verify.ts";

/** Bytes of request line and header lines that API Gateway takes (AWS: HTTP API quotas). */
const MAX_REQUEST_HEAD_BYTES = 10_240;

function note<T>(exchange: Exchange, step: Step, outcome: T): T {
  exchange.observe?.(step, isRefusal(outcome) ? outcome : undefined);
  return outcome;
}

/** Origins of browser apps that may read this response: the route's, or the configuration's. */
export const corsOriginOf = ({ request, route }: Exchange, gateway: Gateway): string | undefined =>
  allowedOrigin(request.headers.get("origin"), route?.cors ?? gateway.config.corsOrigins);

/** An empty header is no header: nothing was said. */
const tenantHeaderOf = (headers: ClientHeaders): string | null => headers.get("x-tenant-id") || null;

function decidePreflight(exchange: Exchange, gateway: Gateway, { path, segments }: CanonicalPath): Decision {
  const { headers } = exchange.request;
  const requested = headers.get("access-control-request-method") ?? "";
  if (!isOwnPath(path)) exchange.route = gateway.matcher.match(segments, requested);
  const onPath = isOwnPath(path) ? OWN_METHODS : gateway.matcher.methods(segments);
  // on a path without any route, the page may at least read that there is none
  const methods = onPath.length > 0 || !/^[A-Z]+$/.test(requested) ? onPath : [requested];
  return { kind: "answer", answer: preflightAnswer(corsOriginOf(exchange, gateway), methods, headers) };
}

function* decideOwnEndpoint(
  exchange: Exchange,
  gateway: Gateway,
  path: string,
  sources: Sources,
): Steps<Decision> {
  const { config, policy, jwks } = gateway;
  const context = { config, policy, jwks, sources: sources.jwks, scope: sources.scope };
  const { method } = exchange.request;
  const answer = yield* settled(
    answerOwnEndpoint(method, path, { ...context, gatewayOrigin: exchange.url.origin }),
  );
  return answer === undefined ? refuse(refusal("route_not_found")) : { kind: "answer", answer };
}

function findRoute(exchange: Exchange, gateway: Gateway, path: CanonicalPath): CompiledRoute | Refusal {
  const route = gateway.matcher.match(path.segments, exchange.request.method);
  exchange.route = route;
  if (route === undefined) return refusal("route_not_found");
  return route.access === "deny" ? refusal("route_denied") : route;
}

function* checkRateLimit(limit: RateLimit, key: string): Steps<Refusal | undefined> {
  return (yield* settled(limit(key))) ? undefined : refusal("rate_limited");
}

function* checkRevocation(
  principal: Principal,
  kid: string,
  tenantHeader: string | null,
  gateway: Gateway,
  listRevocations: ListRevocations,
  scope: Scope,
): Steps<Refusal | undefined> {
  const tenant = principal.caller === "m2m" ? (tenantHeader ?? undefined) : principal.tenantClaim;
  const revocable = {
    jti: principal.jti,
    origin_jti: principal.originJti,
    sub: principal.sub,
    client: principal.clientId,
    tenant,
    kid,
  };
  const answer = yield* settled(gateway.revocations.check(revocable, principal.iat, listRevocations, scope));
  if (answer === "unavailable") return refusal("revocations_unavailable");
  return answer === "revoked" ? refusal("token_revoked") : undefined;
}

/** Steps 6 to 16: who calls, and may they? */
function* admitCaller(
  exchange: Exchange,
  gateway: Gateway,
  route: CompiledRoute,
  path: CanonicalPath,
  sources: Sources,
): Steps<Identity | Refusal> {
  const { config, policy } = gateway;
  const { headers } = exchange.request;
  const { scope, listRevocations, tenantRateLimit } = sources;

  const token = note(exchange, "token_present", bearerToken(headers.get("authorization")));
  if (isRefusal(token)) return token;
  const verification = note(
    exchange,
    "signature",
    recallToken(token, gateway, sources.jwks, scope) ??
      (yield* verifyToken(token, gateway, sources.jwks, scope)),
  );
  if (isRefusal(verification)) return verification;
  exchange.verification = verification;
  const { principal, pool, kid, isPlain } = verification.token;
  const tenantHeader = tenantHeaderOf(headers);

  const tokenRefusal =
    note(exchange, "time", checkTime(principal, config, scope.now())) ??
    note(exchange, "token_use", checkTokenUse(principal, route)) ??
    note(exchange, "audience", checkAudience(principal, pool)) ??
    note(
      exchange,
      "revocation",
      listRevocations &&
        (yield* checkRevocation(principal, kid, tenantHeader, gateway, listRevocations, scope)),
    ) ??
    note(exchange, "caller", checkCaller(principal, route));
  if (tokenRefusal !== undefined) return tokenRefusal;

  const tenancySources = { allowLists: gateway.allowLists, readAllowList: sources.readAllowList };
  const found = resolveTenancy(principal, route, path.segments, tenantHeader, tenancySources, scope);
  // `settled` would ask the same, and make a generator for it
  const tenancy = note(exchange, "tenant", found instanceof Promise ? yield* settled(found) : found);
  if (isRefusal(tenancy)) return tenancy;
  exchange.tenant = tenancy.tenant;

  const rightsRefusal =
    note(exchange, "role", checkRole(tenancy.role, route, policy)) ??
    note(exchange, "scopes", checkScopes(principal, route, policy)) ??
    note(exchange, "groups", checkGroups(principal, route)) ??
    note(
      exchange,
      "tenant_rate_limit",
      tenantRateLimit && tenancy.tenant ? yield* checkRateLimit(tenantRateLimit, tenancy.tenant) : undefined,
    );
  return rightsRefusal ?? { principal, tenant: tenancy.tenant, role: tenancy.role, isPlain };
}

/** Step 5: a public route looks at no token. */
function* admitPublic(exchange: Exchange, sources: Sources): Steps<undefined | Refusal> {
  const limit = sources.publicRateLimit;
  // callers that the platform cannot tell apart share one limit: none of them escapes it
  const limited = limit && (yield* checkRateLimit(limit, exchange.request.clientIp ?? "unknown"));
  return note(exchange, "public_rate_limit", limited);
}

/** Step 17: the request for the origin; `headers_too_large` where API Gateway would not take it. */
function prepareForward(
  exchange: Exchange,
  gateway: Gateway,
  route: CompiledRoute,
  path: CanonicalPath,
  admission: Identity | Refusal | undefined,
): Decision {
  const { request, requestId, url } = exchange;
  const { config } = gateway;
  const reported = isRefusal(admission) ? admission : undefined;
  const headers = upstreamHeaders(request.headers, isRefusal(admission) ? undefined : admission, {
    requestId,
    clientIp: request.clientIp,
    scheme: url.origin.slice(0, url.origin.indexOf(":")),
    host: url.origin.slice(url.origin.indexOf("://") + 3),
    originSecret: reported ? undefined : config.originSecret,
    forwardAuthorization: config.forwardAuthorization,
    keepTenantHeader: route.access === "public",
  });
  const { baseUrl, basePath, host } = originOf(route, config);
  const target = path.path + url.search;
  const fits = requestHeadFits(
    request.method,
    basePath + target,
    host,
    request.headers,
    headers,
    MAX_REQUEST_HEAD_BYTES,
  );
  const tooLarge = fits ? undefined : refusal("headers_too_large");
  note(exchange, "forward", tooLarge);
  if (tooLarge !== undefined) return refuse(tooLarge);
  const upstream = { method: request.method, url: baseUrl + target, headers, baseUrl, basePath };
  return reported ? { kind: "report", upstream, wouldHave: reported.code } : { kind: "forward", upstream };
}

/** Report mode lets through what the caller is to blame for, never what we are. */
function isReported(refused: Refusal, route: CompiledRoute, gateway: Gateway): boolean {
  return (route.mode ?? gateway.config.mode) === "report" && errorRow(refused.code).status < 500;
}

/**
 * Decides what is to be done with a request: the steps of the contract in their order, of which the first
 * refusal ends it. Sends nothing, reads no body, and throws on a bug only.
 */
export function* authorize(exchange: Exchange, gateway: Gateway, sources: Sources): Steps<Decision> {
  const { method, headers } = exchange.request;
  if (method === "CONNECT" || method === "TRACE")
    return refuse(note(exchange, "method", refusal("method_not_allowed")));

  const path = note(exchange, "path", canonicalPath(exchange.url.rawPath) ?? refusal("invalid_path"));
  if (isRefusal(path)) return refuse(path);
  if (isPreflight(method, headers))
    return note(exchange, "preflight", decidePreflight(exchange, gateway, path));
  if (isOwnPath(path.path)) {
    const own = yield* decideOwnEndpoint(exchange, gateway, path.path, sources);
    note(exchange, "own_endpoint", own.kind === "refuse" ? own.refusal : undefined);
    return own;
  }

  const route = note(exchange, "route", findRoute(exchange, gateway, path));
  if (isRefusal(route)) return refuse(route);

  const admission =
    route.access === "public"
      ? yield* admitPublic(exchange, sources)
      : yield* admitCaller(exchange, gateway, route, path, sources);
  if (isRefusal(admission) && !isReported(admission, route, gateway)) return refuse(admission);
  return prepareForward(exchange, gateway, route, path, admission);
}
