import { type Refusal, refusal } from "./errors.ts";
import { INHERITED, own, ownNamed } from "./own.ts";
import type { CallerKind, CompiledPolicy } from "./policy/schema.ts";

/** Claims whose signature has been verified, as JSON was parsed to them: their prototype is that of all objects. */
export type VerifiedClaims = Readonly<Record<string, unknown>>;

/** Who calls, from verified claims alone. Holds no verdict: time, policy and tenancy are checked on each request. */
export interface Principal {
  readonly caller: CallerKind;
  readonly sub: string;
  /** `token_use` as the token has it; steps decide whether it is one that may be used. */
  readonly tokenUse: string;
  /** `client_id` of an access token, `aud` of an ID token. */
  readonly clientId: string | undefined;
  /** Seconds since the epoch, fractions allowed. */
  readonly exp: number;
  readonly iat: number;
  readonly nbf: number | undefined;
  /** The access token's own `aud` (RFC 8707 resource binding), as it stands. */
  readonly resource: unknown;
  readonly scopes: readonly string[];
  readonly groups: readonly string[];
  readonly username: string | undefined;
  /** A person's tenant claim, if it is a usable tenant. Always undefined for a machine. */
  readonly tenantClaim: string | undefined;
  /** A person's role claim. Always undefined for a machine. */
  readonly roleClaim: string | undefined;
  readonly jti: string | undefined;
  readonly originJti: string | undefined;
}

const TENANT = /^[\x21-\x2b\x2d-\x7e]{1,128}$/; // visible ASCII without the comma, which would join two of them

/** Can this be a tenant: 1 to 128 visible ASCII characters without comma? */
export const isTenant = (value: unknown): value is string => typeof value === "string" && TENANT.test(value);

const asString = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" ? value : undefined;

const isTime = (value: unknown): value is number => typeof value === "number" && Number.isFinite(value);

const NONE: readonly string[] = []; // shared, since thousands of principals are held

const splitScope = (scope: unknown): readonly string[] =>
  typeof scope === "string" ? scope.split(" ").filter((item) => item !== "") : NONE;

const stringsOf = (groups: unknown): readonly string[] =>
  Array.isArray(groups)
    ? groups.filter((group): group is string => typeof group === "string" && group !== "")
    : NONE;

/**
 * Reads a Principal from verified claims (AWS: using the ID token, using the access token). `invalid_claims`
 * where `exp`, `iat`, `sub` or `token_use` is missing or of the wrong type, or `nbf` is no time. Does not
 * check times, audience or whether `token_use` is one that Cognito issues.
 */
export function readPrincipal(claims: VerifiedClaims, policy: CompiledPolicy): Principal | Refusal {
  const exp = own(claims, "exp", claims["exp"], INHERITED["exp"]);
  const iat = own(claims, "iat", claims["iat"], INHERITED["iat"]);
  const nbf = own(claims, "nbf", claims["nbf"], INHERITED["nbf"]);
  const sub = asString(own(claims, "sub", claims["sub"], INHERITED["sub"]));
  const tokenUse = own(claims, "token_use", claims["token_use"], INHERITED["token_use"]);
  const timesAreValid = isTime(exp) && isTime(iat) && (nbf === undefined || isTime(nbf));
  if (!timesAreValid || sub === undefined || typeof tokenUse !== "string") return refusal("invalid_claims");

  const isAccess = tokenUse === "access";
  const audience = own(claims, "aud", claims["aud"], INHERITED["aud"]);
  const clientId = asString(
    isAccess ? own(claims, "client_id", claims["client_id"], INHERITED["client_id"]) : audience,
  );
  const usernameClaim = own(claims, "username", claims["username"], INHERITED["username"]);
  // RFC 6749 section 4.4 as Cognito issues it: the client is its own subject, and there is no user
  const isMachine = isAccess && sub === clientId && usernameClaim === undefined;
  const tenant = ownNamed(claims, policy.tenantClaim);
  return {
    caller: isMachine ? "m2m" : "user",
    sub,
    tokenUse,
    clientId,
    exp,
    iat,
    nbf,
    resource: isAccess ? audience : undefined,
    scopes: splitScope(own(claims, "scope", claims["scope"], INHERITED["scope"])),
    groups: stringsOf(own(claims, "cognito:groups", claims["cognito:groups"], INHERITED["cognito:groups"])),
    username: asString(
      isAccess
        ? usernameClaim
        : own(claims, "cognito:username", claims["cognito:username"], INHERITED["cognito:username"]),
    ),
    tenantClaim: !isMachine && isTenant(tenant) ? tenant : undefined,
    roleClaim: isMachine ? undefined : asString(ownNamed(claims, policy.roleClaim)),
    jti: asString(own(claims, "jti", claims["jti"], INHERITED["jti"])),
    originJti: asString(own(claims, "origin_jti", claims["origin_jti"], INHERITED["origin_jti"])),
  };
}
