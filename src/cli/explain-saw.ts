import { isRefusal } from "../core/errors.ts";
import type { Step } from "../core/exchange.ts";
import { canonicalPath } from "../core/http/path.ts";
import { bearerToken } from "../core/token/bearer.ts";
import type { Trace } from "./explain-run.ts";
import { sawSignature } from "./explain-signature.ts";
import { counted, moment, printable, shown } from "./printable.ts";

const listed = (values: Iterable<string> | undefined): string =>
  [...(values ?? [])].map(printable).join(", ") || "none";

function sawPath({ exchange }: Trace): string {
  const { rawPath } = exchange.url;
  const canonical = canonicalPath(rawPath)?.path;
  if (canonical === undefined) return `${shown(rawPath)} is not a path that means one thing only`;
  return canonical === rawPath ? shown(rawPath) : `${shown(rawPath)}, matched and forwarded as ${canonical}`;
}

function sawPreflight({ decision, exchange }: Trace): string {
  const origin = shown(exchange.request.headers.get("origin"));
  const isAllowed =
    decision.kind === "answer" && decision.answer.headers.some(([name]) => name.startsWith("access-"));
  return `${origin} ${isAllowed ? "may read answers" : "is not among the allowed origins: no CORS header is sent"}`;
}

function sawRoute({ exchange, gateway }: Trace): string {
  const { route, request } = exchange;
  if (route === undefined) {
    const segments = canonicalPath(exchange.url.rawPath)?.segments ?? [];
    const methods = gateway.matcher.methods(segments);
    return methods.length === 0
      ? `none of ${gateway.policy.routes.length} routes has this path`
      : `no route on this path takes ${request.method}; they take ${methods.join(", ")}`;
  }
  const index = gateway.policy.routes.indexOf(route);
  return `routes.${index} ${route.pattern.text}, ${route.access}`;
}

function sawTime({ exchange, gateway, nowMs }: Trace): string {
  const principal = exchange.verification?.token.principal;
  if (principal === undefined) return "";
  const { iat, exp, nbf } = principal;
  const { expToleranceSeconds, skewToleranceSeconds } = gateway.config;
  const early = nbf === undefined ? "" : `; nbf ${moment(nbf, nowMs)}`;
  const tolerance = `tolerances ${expToleranceSeconds} s and ${skewToleranceSeconds} s`;
  return `iat ${moment(iat, nowMs)}; exp ${moment(exp, nowMs)}${early}; ${tolerance}`;
}

function sawAudience({ exchange }: Trace): string {
  const token = exchange.verification?.token;
  if (token === undefined) return "";
  const { principal, pool } = token;
  if (principal.caller === "m2m")
    return `client_id ${shown(principal.clientId)}, a machine: its allow-list decides`;
  const member = principal.tokenUse === "access" ? "client_id" : "aud";
  const resources =
    pool.resources === undefined
      ? ""
      : `; aud ${shown(principal.resource)}, resources ${listed(pool.resources)}`;
  return `${member} ${shown(principal.clientId)}; client_ids of ${pool.id}: ${listed(pool.clientIds)}${resources}`;
}

function sawRevocation({ exchange, revocations, taken, failures }: Trace): string {
  if (revocations === undefined) {
    const isRefused = taken.some(({ step, refusal }) => step === "revocation" && refusal !== undefined);
    return isRefused ? failures.map(printable).join("; ") : "REVOCATIONS is not bound: nothing is revoked";
  }
  const principal = exchange.verification?.token.principal;
  const kid = exchange.verification?.token.kid;
  const tenant = principal?.tenantClaim ?? exchange.request.headers.get("x-tenant-id") ?? "";
  const names = new Set([
    `jti:${principal?.jti}`,
    `origin_jti:${principal?.originJti}`,
    `sub:${principal?.sub}`,
    `client:${principal?.clientId}`,
    `tenant:${tenant}`,
    `kid:${kid}`,
  ]);
  const matching = revocations.filter(({ name }) => names.has(name));
  if (matching.length === 0)
    return `${counted(revocations.length, "entry", "entries")}, none of them names this token`;
  return matching
    .map(({ name, metadata, text }) => `${printable(name)} ${shown(metadata ?? text ?? {})}`)
    .join("; ");
}

function sawTenant({ exchange, allowList }: Trace): string {
  const principal = exchange.verification?.token.principal;
  const header = exchange.request.headers.get("x-tenant-id");
  const sent = header === null ? "no x-tenant-id" : `x-tenant-id ${shown(header)}`;
  const route = exchange.route;
  const segment = route?.tenantSegment;
  const inPath =
    segment === undefined
      ? ""
      : `; the path names ${shown(canonicalPath(exchange.url.rawPath)?.segments[segment])}`;
  if (principal?.caller !== "m2m")
    return `claim ${shown(principal?.tenantClaim ?? "missing or unusable")}; ${sent}${inPath}`;
  const list = allowList?.list;
  if (allowList === undefined) return `${sent}${inPath}`;
  if (list === undefined) return `${sent}; its allow-list is malformed`;
  if (list === "none") return `${sent}; it has no allow-list, or a disabled one`;
  const tenants = list.tenants === "any" ? "any tenant" : shown(listed(list.tenants));
  return `${sent}; allow-list: ${tenants}${inPath}`;
}

function sawRole({ exchange, allowList, gateway }: Trace): string {
  const principal = exchange.verification?.token.principal;
  const list = allowList?.list;
  const listRole = typeof list === "object" ? list.role : undefined;
  const role = principal?.caller === "m2m" ? listRole : principal?.roleClaim;
  const lowest = exchange.route?.role;
  if (lowest === undefined) return `${shown(role ?? "none")}; the route needs none`;
  const rank =
    role !== undefined && !gateway.policy.roles.includes(role) ? ", which the policy does not know" : "";
  return `${shown(role ?? "none")}${rank}; the route needs ${lowest} of ${gateway.policy.roles.join(" < ")}`;
}

function sawScopes({ exchange, gateway }: Trace): string {
  const principal = exchange.verification?.token.principal;
  const needed = exchange.route?.scopes;
  const machine = principal?.caller === "m2m" ? gateway.policy.m2mScope : undefined;
  const needs = [
    ...(machine === undefined ? [] : [`every machine needs ${machine}`]),
    needed === undefined ? "the route needs none" : `the route needs one of ${needed.join(", ")}`,
  ];
  return `${shown(listed(principal?.scopes))}; ${needs.join("; ")}`;
}

function sawForward({ decision, gateway }: Trace): string {
  if (decision.kind !== "forward" && decision.kind !== "report") return "";
  const { method, url } = decision.upstream;
  const proof = gateway.config.originSecret === undefined ? "" : ", with x-origin-secret";
  return `${method} ${shown(url)}${decision.kind === "report" ? ", without identity and proof" : proof}`;
}

/** What each step looked at, in words. Values of the token are shown only after printable.ts. */
export const SAW: Record<Step, (trace: Trace) => string> = {
  method: ({ exchange }) => exchange.request.method,
  path: sawPath,
  preflight: sawPreflight,
  own_endpoint: ({ exchange }) => `${exchange.url.rawPath} is the gateway's own`,
  route: sawRoute,
  public_rate_limit: () => "counted by Cloudflare only, per client address",
  token_present: ({ exchange }) =>
    isRefusal(bearerToken(exchange.request.headers.get("authorization")))
      ? "no Authorization header"
      : "a token",
  signature: sawSignature,
  time: sawTime,
  token_use: ({ exchange }) =>
    `${shown(exchange.verification?.token.principal.tokenUse)}; the route takes ${listed(exchange.route?.tokenUse)}`,
  audience: sawAudience,
  revocation: sawRevocation,
  caller: ({ exchange }) =>
    `${exchange.verification?.token.principal.caller}; the route takes ${listed(exchange.route?.callers)}`,
  tenant: sawTenant,
  role: sawRole,
  scopes: sawScopes,
  groups: ({ exchange }) =>
    `${shown(listed(exchange.verification?.token.principal.groups))}; the route needs ${exchange.route?.groups === undefined ? "none" : `one of ${listed(exchange.route.groups)}`}`,
  tenant_rate_limit: () => "counted by Cloudflare only, per tenant",
  forward: sawForward,
};
