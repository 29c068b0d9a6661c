import type { HeaderList } from "../src/core/decision.ts";
import { compilePolicy } from "../src/core/policy/define.ts";
import { createMatcher } from "../src/core/policy/matcher.ts";
import { decodeToken } from "../src/core/token/bearer.ts";
import { type CoreBench, REQUEST } from "./core-bench.ts";
import { headersFor } from "./headers.ts";
import { policyOf } from "./policy.ts";
import { CLIENT_ID, ISSUER, ORIGIN_URL } from "./pool.ts";
import { fail, type Task, textOf } from "./task.ts";

interface Known {
  readonly untilMs: number;
  readonly key: object;
  readonly kid: string;
  readonly issuer: string;
  readonly sub: string;
  readonly tokenUse: string;
  readonly clientId: string;
  readonly exp: number;
  readonly iat: number;
  readonly nbf: number | undefined;
  readonly tenant: string;
  readonly role: string;
  readonly groups: readonly string[];
  readonly username: string;
}

interface Decided {
  readonly url: string;
  readonly remove: readonly string[];
  readonly set: HeaderList;
  readonly record: string;
}

const WELL_FORMED = /^\/(?:[\w\-.~!$&'()*+,=:@|^[\]"<>`{}%]+(?:\/(?!\/)|$))*$/;
const REQUEST_ID = /^[\w-]{8,128}$/;
const IS_REMOVED =
  /^(?:(?:host|connection|keep[-_]alive|te|trailer|transfer[-_]encoding|upgrade|x[-_]http[-_]method(?:[-_]override)?|x[-_]method[-_]override|forwarded|x[-_]origin[-_]secret|x[-_]request[-_]id|x[-_]tenant[-_]id)$|proxy[-_]|x[-_]forwarded[-_]|x[-_]auth[-_])/;
const LINE_OVERHEAD = ": \r\n".length;
const { host: HOST } = new URL(ORIGIN_URL);
const FRESH_MS = 10 * 60_000;

function knownOf(token: string, key: object, untilMs: number): Known {
  const decoded = decodeToken(token);
  if ("code" in decoded) return fail(decoded.code);
  const claims = decoded.unverifiedClaims;
  return {
    untilMs,
    key,
    kid: textOf(decoded.unverifiedHeader["kid"]),
    issuer: textOf(claims["iss"]),
    sub: textOf(claims["sub"]),
    tokenUse: textOf(claims["token_use"]),
    clientId: textOf(claims["aud"]),
    exp: Number(claims["exp"]),
    iat: Number(claims["iat"]),
    nbf: undefined,
    tenant: textOf(claims["custom:tenant_id"]),
    role: textOf(claims["custom:role"]),
    groups: claims["cognito:groups"] as string[],
    username: textOf(claims["cognito:username"]),
  };
}

/**
 * Everything that the gateway owes a request with a known ID token, and nothing of what it owes any other: one function,
 * written for this workload alone, whatever it would be like to read or to change. What asks for more ends the run.
 */
export async function createByHand(tokens: readonly string[], core: CoreBench): Promise<Task> {
  const key = {};
  const nowMs = Date.now();
  const verified = new Map(tokens.map((token) => [token, knownOf(token, key, nowMs + 300_000)]));
  const kid = verified.values().next().value?.kid ?? fail("no token");
  const keySets = new Map([[ISSUER, { fetchedAtMs: nowMs, keys: new Map([[kid, key]]) }]]);
  const clientIds = new Set([CLIENT_ID]);
  const policy = compilePolicy(policyOf(50));
  if (!policy.ok) return fail("the policy has a fault");
  const { roles } = policy.value;
  const matcher = createMatcher(policy.value.routes);

  function decide(headers: Headers): Decided {
    const { method, url, clientIp } = REQUEST;
    if (method === "CONNECT" || method === "TRACE" || method === "OPTIONS") return fail("not by this method");
    const hostAt = url.indexOf("://") + 3;
    const pathAt = url.indexOf("/", hostAt);
    const searchAt = url.indexOf("?", pathAt);
    const pathEnd = searchAt === -1 ? url.length : searchAt;
    const path = url.slice(pathAt, pathEnd);
    if (!WELL_FORMED.test(path) || path.includes("%") || path.includes("/.")) return fail("not on this path");
    const segments: string[] = [];
    let start = 1;
    for (let end = path.indexOf("/", start); end !== -1; end = path.indexOf("/", start)) {
      segments.push(path.slice(start, end));
      start = end + 1;
    }
    if (start < path.length) segments.push(path.slice(start));
    const route = matcher.match(segments, method);
    if (route === undefined || route.access !== "authenticated") return fail("no such route");

    const authorization = headers.get("authorization");
    if (!authorization?.startsWith("Bearer ")) return fail("no token");
    const known = verified.get(authorization.slice("Bearer ".length));
    const keySet = known && keySets.get(known.issuer);
    if (known === undefined || nowMs >= known.untilMs || keySet?.keys.get(known.kid) !== known.key)
      return fail("not known");
    const now = nowMs / 1000;
    const isInTime =
      now < known.exp && known.iat <= now + 30 && !(known.nbf !== undefined && known.nbf > now + 30);
    if (nowMs - keySet.fetchedAtMs > FRESH_MS || !isInTime) return fail("too old");
    const isTaken = known.tokenUse === "id" && route.tokenUse.includes("id");
    if (!isTaken || !clientIds.has(known.clientId) || !route.callers.includes("user"))
      return fail("not taken");
    if (roles.indexOf(known.role) < roles.indexOf(route.role ?? "") || route.scopes !== undefined)
      return fail("no right");

    const lines: string[] = [];
    headers.forEach((value, name) => {
      lines.push(name, value);
    });
    const remove: string[] = [];
    let chars = 0;
    let requestId: string | undefined;
    for (let index = 0; index < lines.length; index += 2) {
      const name = lines[index] ?? "";
      const value = lines[index + 1] ?? "";
      if (name === "connection" || (name === "x-tenant-id" && value !== known.tenant))
        return fail("not with this line");
      if (name === "x-request-id" && REQUEST_ID.test(value)) requestId = value;
      if (IS_REMOVED.test(name)) remove.push(name);
      else chars += name.length + value.length + LINE_OVERHEAD;
    }
    requestId ??= crypto.randomUUID();
    const set: [string, string][] = [
      ["x-request-id", requestId],
      ["x-forwarded-for", clientIp],
      ["x-forwarded-proto", url.slice(0, hostAt - 3)],
      ["x-forwarded-host", url.slice(hostAt, pathAt)],
      ["x-auth-caller", "user"],
      ["x-auth-sub", known.sub],
      ["x-auth-token-use", known.tokenUse],
      ["x-auth-tenant-id", known.tenant],
      ["x-tenant-id", known.tenant],
      ["x-auth-role", known.role],
      ["x-auth-client-id", known.clientId],
      ["x-auth-groups", known.groups.join(",")],
      ["x-auth-username", known.username],
    ];
    for (const [name, value] of set) chars += name.length + value.length + LINE_OVERHEAD;
    const target = url.slice(pathAt);
    if ((chars + method.length + target.length + HOST.length + 40) * 3 > 10_240) return fail("too long");
    const record = JSON.stringify({
      event: "decision",
      request_id: requestId,
      method,
      route: route.pattern.text,
      decision: "forward",
      status: 200,
      caller: "user",
      sub: known.sub,
      tenant: known.tenant,
      client_id: known.clientId,
      kid: known.kid,
      token_use: known.tokenUse,
      jwks: "memory",
      edge_ms: 0,
      colo: "ORD",
    });
    return { url: ORIGIN_URL + target, remove, set, record };
  }

  const headers = headersFor(tokens, "api");
  const [some = fail("no token")] = headersFor(tokens, "browser");
  some.set("x-request-id", "5f1c2d3e-0000-4000-8000-000000000001");
  const { upstream, record } = await core.outcome(some);
  const expected: Decided = {
    url: upstream.url,
    remove: upstream.headers.remove,
    set: upstream.headers.set,
    record,
  };
  if (JSON.stringify(decide(some)) !== JSON.stringify(expected)) fail("decided otherwise than the gateway");
  return (count) => {
    for (let index = 0; index < count; index += 1)
      if (decide(headers[index % headers.length] ?? fail("no token")).record.length === 0)
        fail("no log line");
  };
}
