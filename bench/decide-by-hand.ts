import type { HeaderList } from "../src/core/decision.ts";
import { splitPath } from "../src/core/http/path.ts";
import { compilePolicy } from "../src/core/policy/define.ts";
import { createMatcher } from "../src/core/policy/matcher.ts";
import type { CompiledRoute } from "../src/core/policy/schema.ts";
import { type CoreBench, REQUEST } from "./core-bench.ts";
import { headersFor } from "./headers.ts";
import { policyOf } from "./policy.ts";
import { CLIENT_ID, ISSUER, ORIGIN_URL } from "./pool.ts";
import { fail, type Task } from "./task.ts";
import { type Remembered, rememberedOf } from "./verify-by-hand.ts";

/** A request as it came in. */
export interface Asked {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
}

/** Its route, and where the parts of its URL begin. */
interface Found {
  readonly route: CompiledRoute;
  readonly hostAt: number;
  readonly pathAt: number;
}

/** What is sent to the origin, and what the log line and the response need. */
export interface Decided {
  readonly url: string;
  readonly remove: readonly string[];
  readonly set: HeaderList;
  readonly requestId: string;
  readonly route: CompiledRoute;
  /** The page's origin. */
  readonly origin: string | undefined;
}

/** The keys that the issuer has at this moment. */
interface Keys {
  fetchedAtMs: number;
  readonly keys: ReadonlyMap<string, object>;
}

const WELL_FORMED = /^\/(?:[\w\-.~!$&'()*+,=:@|^[\]"<>`{}%]+(?:\/(?!\/)|$))*$/;
const REQUEST_ID = /^[\w-]{8,128}$/;
const IS_REMOVED =
  /^(?:(?:host|connection|keep[-_]alive|te|trailer|transfer[-_]encoding|upgrade|x[-_]http[-_]method(?:[-_]override)?|x[-_]method[-_]override|forwarded|x[-_]origin[-_]secret|x[-_]request[-_]id|x[-_]tenant[-_]id)$|proxy[-_]|x[-_]forwarded[-_]|x[-_]auth[-_])/;
const LINE_OVERHEAD = ": \r\n".length;
const FRESH_MS = 10 * 60_000;

/**
 * Everything that the gateway owes a request with an ID token that has been verified, and nothing of what it owes any
 * other: written for this workload alone, whatever it would be like to read or to change. What asks for more throws.
 */
export function createDecideByHand(originUrl: string) {
  const clientIds = new Set([CLIENT_ID]);
  const policy = compilePolicy(policyOf(50));
  if (!policy.ok) return fail("the policy has a fault");
  const { roles } = policy.value;
  const matcher = createMatcher(policy.value.routes);
  const { host } = new URL(originUrl);

  function find({ method, url }: Asked): Found {
    if (method !== "GET") return fail("not by this method");
    const hostAt = url.indexOf("://") + 3;
    const pathAt = url.indexOf("/", hostAt);
    const searchAt = url.indexOf("?", pathAt);
    const pathEnd = searchAt === -1 ? url.length : searchAt;
    const path = url.slice(pathAt, pathEnd);
    if (!WELL_FORMED.test(path) || path.includes("%") || path.includes("/.")) return fail("not on this path");
    const route = matcher.match(splitPath(path), method);
    if (route === undefined || route.access !== "authenticated") return fail("no such route");
    return { route, hostAt, pathAt };
  }

  function decide(asked: Asked, found: Found, known: Remembered, keySet: Keys, nowMs: number): Decided {
    const { method, url, headers } = asked;
    const { route, hostAt, pathAt } = found;
    const { principal } = known;
    if (keySet.keys.get(known.kid) !== known.key || !known.isPlain)
      return fail("another key, or encoded claims");
    const now = nowMs / 1000;
    const { exp, iat, nbf, tenantClaim: tenant, roleClaim: role, clientId, username } = principal;
    const isInTime = now < exp && iat <= now + 30 && !(nbf !== undefined && nbf > now + 30);
    if (!isInTime) return fail("too old");
    if (nowMs - keySet.fetchedAtMs > FRESH_MS) keySet.fetchedAtMs = nowMs; // a refresh is no part of any workload
    const isTaken = principal.tokenUse === "id" && route.tokenUse.includes("id");
    if (!isTaken || clientId === undefined || !clientIds.has(clientId) || !route.callers.includes("user"))
      return fail("not taken");
    if (tenant === undefined || role === undefined || username === undefined) return fail("no such claim");
    if (roles.indexOf(role) < roles.indexOf(route.role ?? "") || route.scopes !== undefined)
      return fail("no right");

    const lines: string[] = [];
    headers.forEach((value, name) => {
      lines.push(name, value);
    });
    const remove: string[] = [];
    let chars = 0;
    let requestId: string | undefined;
    let origin: string | undefined;
    let clientIp: string | undefined;
    for (let index = 0; index < lines.length; index += 2) {
      const name = lines[index] ?? "";
      const value = lines[index + 1] ?? "";
      if (name === "connection" || (name === "x-tenant-id" && value !== tenant))
        return fail("not with this line");
      if (name === "x-request-id" && REQUEST_ID.test(value)) requestId = value;
      if (name === "origin") origin = value;
      if (name === "cf-connecting-ip") clientIp = value;
      if (IS_REMOVED.test(name)) remove.push(name);
      else chars += name.length + value.length + LINE_OVERHEAD;
    }
    if (clientIp === undefined) return fail("no address");
    requestId ??= crypto.randomUUID();
    const set: [string, string][] = [
      ["x-request-id", requestId],
      ["x-forwarded-for", clientIp],
      ["x-forwarded-proto", url.slice(0, hostAt - 3)],
      ["x-forwarded-host", url.slice(hostAt, pathAt)],
      ["x-auth-caller", "user"],
      ["x-auth-sub", principal.sub],
      ["x-auth-token-use", principal.tokenUse],
      ["x-auth-tenant-id", tenant],
      ["x-tenant-id", tenant],
      ["x-auth-role", role],
      ["x-auth-client-id", clientId],
      ["x-auth-groups", principal.groups.join(",")],
      ["x-auth-username", username],
    ];
    for (const [name, value] of set) chars += name.length + value.length + LINE_OVERHEAD;
    const target = url.slice(pathAt);
    if ((chars + method.length + target.length + host.length + 40) * 3 > 10_240) return fail("too long");
    return { url: originUrl + target, remove, set, requestId, route, origin };
  }

  return { find, decide };
}

/** How a request ended. */
interface Ended {
  readonly status: number;
  readonly edgeMs: number;
  readonly originMs?: number | undefined;
  readonly colo?: string | undefined;
}

/** The log line of a request that was forwarded, as text. */
export const recordOf = ({ method }: Asked, decided: Decided, known: Remembered, ended: Ended): string =>
  JSON.stringify({
    event: "decision",
    request_id: decided.requestId,
    method,
    route: decided.route.pattern.text,
    decision: "forward",
    status: ended.status,
    caller: "user",
    sub: known.principal.sub,
    tenant: known.principal.tenantClaim,
    client_id: known.principal.clientId,
    kid: known.kid,
    token_use: known.principal.tokenUse,
    jwks: "memory",
    edge_ms: ended.edgeMs,
    origin_ms: ended.originMs,
    colo: ended.colo,
  });

/** Decisions by hand on known tokens, which are compared with the gateway's before the run. */
export async function createByHand(tokens: readonly string[], core: CoreBench): Promise<Task> {
  const key = {};
  const nowMs = Date.now();
  const verified = new Map(tokens.map((token) => [token, rememberedOf(token, key, nowMs + 300_000)]));
  const kid = verified.values().next().value?.kid ?? fail("no token");
  const keySets = new Map([[ISSUER, { fetchedAtMs: nowMs, keys: new Map([[kid, key]]) }]]);
  const { find, decide } = createDecideByHand(ORIGIN_URL);

  function decideAndRecord(headers: Headers): { readonly decided: Decided; readonly record: string } {
    const asked = { method: REQUEST.method, url: REQUEST.url, headers };
    const found = find(asked);
    const authorization = headers.get("authorization");
    if (!authorization?.startsWith("Bearer ")) return fail("no token");
    const known = verified.get(authorization.slice("Bearer ".length));
    if (known === undefined || nowMs >= known.untilMs) return fail("not known");
    const decided = decide(asked, found, known, keySets.get(known.issuer) ?? fail("no keys"), nowMs);
    return { decided, record: recordOf(asked, decided, known, { status: 200, edgeMs: 0, colo: "ORD" }) };
  }

  const headers = core.knownHeaders(tokens.length);
  const [some = fail("no token")] = headersFor(tokens, "browser");
  some.set("x-request-id", "5f1c2d3e-0000-4000-8000-000000000001");
  const { upstream, record: expectedRecord } = await core.outcome(some);
  const { decided, record } = decideAndRecord(some);
  const { url, remove, set } = decided;
  const expected = [upstream.url, upstream.headers.remove, upstream.headers.set, expectedRecord];
  if (JSON.stringify([url, remove, set, record]) !== JSON.stringify(expected))
    fail("decided otherwise than the gateway");
  return (count) => {
    for (let index = 0; index < count; index += 1)
      if (decideAndRecord(headers[index % headers.length] ?? fail("no token")).record.length === 0)
        fail("no log line");
  };
}
