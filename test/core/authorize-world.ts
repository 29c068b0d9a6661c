import type { Sources } from "../../src/core/gateway.ts";
import { createDecider, type Decider, type Explained, type TestRequest } from "../support/decide.ts";
import { accessClaims, machineClaims, type SigningKey, sign } from "../support/tokens.ts";

/** Seconds since the epoch at which all of this happens. */
export const NOW = 1_800_000_000;
export const ISSUER = "https://cognito.example/us-east-2_A";

/** A request that everything is right with, until a test spoils it. A copy is spoilt, never the original. */
export interface Attempt {
  readonly method: string;
  /** First segment: which route. */
  readonly area: string;
  /** Second segment: the tenant that the path names. */
  readonly named: string;
  readonly rest: string;
  readonly claims: Readonly<Record<string, unknown>>;
  /** Signs the token. */
  readonly key: SigningKey;
  /** Makes the `Authorization` of the token; undefined: none. */
  readonly authorization: ((token: string) => string) | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly vars: Readonly<Record<string, unknown>>;
  readonly allowList: string | null;
  readonly sources: Partial<Omit<Sources, "scope">>;
  readonly clientIp: string | undefined;
}

/** One way to spoil a request, and the code that it is refused with where nothing earlier refuses it. */
export interface Fault {
  readonly code: string;
  readonly spoil: (attempt: Attempt) => Attempt;
}

/** Routes of every kind; what `guarded` asks for, a sound attempt has. */
export const POLICY = {
  roles: ["viewer", "admin"],
  m2mScope: "zen/m2m",
  routes: [
    { path: "/open/:tenantId/*", access: "public" },
    { path: "/open-reported/:tenantId/*", access: "public", mode: "report" },
    { path: "/denied/*", access: "deny" },
    { path: "/denied-reported/*", access: "deny", mode: "report" },
    ...[
      { area: "guarded" },
      { area: "reported", mode: "report" },
      { area: "enforced", mode: "enforce" },
      { area: "machines", callers: ["m2m"] },
      { area: "people", callers: ["user"] },
    ].map(({ area, ...rest }) => ({
      path: `/${area}/:tenantId/*`,
      tokenUse: ["access"],
      role: "admin",
      scopes: ["read", "write"],
      groups: ["staff"],
      tenantParam: "tenantId",
      ...rest,
    })),
  ],
};

function attempt(key: SigningKey, claims: Record<string, unknown>): Attempt {
  return {
    method: "GET",
    area: "guarded",
    named: "acme",
    rest: "x",
    claims,
    key,
    authorization: (token) => `Bearer ${token}`,
    headers: {},
    vars: {},
    allowList: '{"tenants":["acme"],"role":"admin"}',
    sources: {},
    clientIp: "203.0.113.7",
  };
}

/** A person who may do everything on a guarded route. */
export const personAttempt = (key: SigningKey): Attempt =>
  attempt(
    key,
    accessClaims(ISSUER, NOW, {
      scope: "read",
      "cognito:groups": ["staff"],
      "custom:tenant_id": "acme",
      "custom:role": "admin",
    }),
  );

/** A machine that may do everything on a guarded route. */
export function machineAttempt(key: SigningKey): Attempt {
  const claims = machineClaims(ISSUER, NOW, { scope: "zen/m2m read", "cognito:groups": ["staff"] });
  return { ...attempt(key, claims), headers: { "x-tenant-id": "acme" } };
}

/** The request of an attempt, with a token that is signed for it. */
export async function requestOf(attempt: Attempt): Promise<TestRequest> {
  const token = await sign(attempt.key, attempt.claims);
  const authorization = attempt.authorization?.(token);
  return {
    method: attempt.method,
    url: `https://api.example/${attempt.area}/${attempt.named}/${attempt.rest}`,
    headers: { ...attempt.headers, ...(authorization !== undefined && { authorization }) },
    clientIp: attempt.clientIp,
  };
}

/** Makes the request of an attempt and decides on it, in an isolate of its own. */
export const explain = async (attempt: Attempt, published: SigningKey): Promise<Explained> =>
  deciderOf(attempt, published).explain(await requestOf(attempt));

/** The gateway of an attempt. */
export const deciderOf = ({ vars, allowList, sources }: Attempt, published: SigningKey): Decider =>
  createDecider({
    pools: [{ issuer: ISSUER, keys: () => [published.jwk] }],
    policy: POLICY,
    vars: { ORIGIN_SECRET: "the-origin-secret", ...vars },
    allowList,
    sources,
    now: () => NOW * 1000,
  });

const overLimit = async (): Promise<boolean> => false;
const down = async (): Promise<never> => {
  throw new Error("down");
};

type Spoil = Fault["spoil"];

/** Replaces members of an attempt. */
export const withMembers =
  (members: Partial<Attempt>): Spoil =>
  (attempt) => ({ ...attempt, ...members });
/** Replaces a claim; undefined removes it. */
export const withClaim =
  (name: string, value: unknown): Spoil =>
  (attempt) => ({ ...attempt, claims: { ...attempt.claims, [name]: value } });
/** Replaces a header. */
export const withHeader =
  (name: string, value: string): Spoil =>
  (attempt) => ({ ...attempt, headers: { ...attempt.headers, [name]: value } });
/** Replaces sources. */
export const withSources =
  (sources: Attempt["sources"]): Spoil =>
  (attempt) => ({ ...attempt, sources: { ...attempt.sources, ...sources } });

const tooLarge = withHeader("x-large", "x".repeat(10_240));
const guests = withClaim("cognito:groups", ["guests"]);

/** Every refusal that a person's request can meet, in the order of the contract's section 5. */
export const personFaults = (stranger: SigningKey): readonly Fault[] => [
  { code: "method_not_allowed", spoil: withMembers({ method: "TRACE" }) },
  { code: "invalid_path", spoil: withMembers({ rest: "/x" }) },
  { code: "route_not_found", spoil: withMembers({ area: "nowhere" }) },
  { code: "missing_token", spoil: withMembers({ authorization: undefined }) },
  { code: "malformed_token", spoil: withMembers({ authorization: (token) => `Bearer ${token}.` }) },
  { code: "invalid_signature", spoil: (a) => ({ ...a, key: { ...stranger, kid: a.key.kid } }) },
  { code: "invalid_claims", spoil: withClaim("nbf", "soon") },
  { code: "token_expired", spoil: withClaim("exp", NOW) },
  { code: "token_not_yet_valid", spoil: withClaim("iat", NOW + 1) },
  { code: "invalid_token_use", spoil: withClaim("token_use", "refresh") },
  { code: "invalid_audience", spoil: withClaim("client_id", "another-client") },
  { code: "token_revoked", spoil: withSources({ listRevocations: revoking("kid", "k") }) },
  { code: "caller_not_allowed", spoil: (a) => (a.area === "guarded" ? { ...a, area: "machines" } : a) },
  { code: "missing_tenant_claim", spoil: withClaim("custom:tenant_id", undefined) },
  { code: "tenant_mismatch", spoil: withHeader("x-tenant-id", "globex") },
  { code: "tenant_mismatch", spoil: withMembers({ named: "globex" }) },
  { code: "insufficient_role", spoil: withClaim("custom:role", "viewer") },
  { code: "insufficient_scope", spoil: withClaim("scope", "openid") },
  { code: "insufficient_group", spoil: guests },
  { code: "rate_limited", spoil: withSources({ tenantRateLimit: overLimit }) },
  { code: "headers_too_large", spoil: tooLarge },
];

/** Every refusal from time on that is a machine's own, in order, with our outages among them. */
export const machineFaults = (): readonly Fault[] => [
  { code: "token_expired", spoil: withClaim("exp", NOW) },
  { code: "revocations_unavailable", spoil: withSources({ listRevocations: down }) },
  { code: "caller_not_allowed", spoil: withMembers({ area: "people" }) },
  { code: "missing_tenant_header", spoil: withHeader("x-tenant-id", "acme, globex") },
  { code: "allowlist_unavailable", spoil: withSources({ readAllowList: down }) },
  { code: "tenant_not_allowed", spoil: withMembers({ allowList: '{"tenants":["globex"]}' }) },
  { code: "tenant_mismatch", spoil: withMembers({ named: "globex" }) },
  {
    code: "insufficient_role",
    spoil: (a) => ({ ...a, allowList: a.allowList?.replace(',"role":"admin"', "") ?? null }),
  },
  { code: "insufficient_scope", spoil: withClaim("scope", "read") },
  { code: "insufficient_group", spoil: guests },
  { code: "rate_limited", spoil: withSources({ tenantRateLimit: overLimit }) },
  { code: "headers_too_large", spoil: tooLarge },
];

/** A listing that revokes one value. */
export const revoking = (kind: string, value: unknown) => async () => [
  { name: `${kind}:${String(value)}`, metadata: {} },
];
