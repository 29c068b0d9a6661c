import type { Pattern } from "./pattern.ts";

/** Which kind of caller: a person with a user token, or a machine client (`client_credentials`). */
export type CallerKind = "user" | "m2m";
/** Cognito's `token_use` claim. */
export type TokenUse = "id" | "access";

/** One line of the route table. The first route whose path and method match decides. */
export interface Route<Role extends string = string> {
  /** Literal segments, `:name` for one segment, a final `/*` for zero or more. Case-sensitive. */
  readonly path: string;
  /** Default: all. `GET` also admits `HEAD`. */
  readonly methods?: readonly string[];
  /** `authenticated` (default), `public` (no token is looked at) or `deny` (403 `route_denied`). */
  readonly access?: "authenticated" | "public" | "deny";
  /** Which kinds of caller are let in; default both. */
  readonly callers?: readonly CallerKind[];
  /** Which tokens are let in; default both. */
  readonly tokenUse?: readonly TokenUse[];
  /** Lowest role of the policy's ladder that is let in; default none. */
  readonly role?: Role;
  /** Any one of these scopes. */
  readonly scopes?: readonly string[];
  /** Any one of these groups. */
  readonly groups?: readonly string[];
  /** Default true. False: no tenant is needed; one that the caller has is still verified and sent. */
  readonly tenant?: boolean;
  /** Name of a path parameter that must equal the caller's verified tenant. */
  readonly tenantParam?: string;
  /** Name of one of `ORIGINS`; default `ORIGIN_URL`. */
  readonly origin?: string;
  /** Exact origins of browser apps for this route, or `["*"]`; default `CORS_ORIGINS`. */
  readonly cors?: readonly string[];
  /** `report` logs what would be refused and forwards it without identity; default `MODE`. */
  readonly mode?: "enforce" | "report";
}

/** Routes and roles of an API, the same in every environment. */
export interface Policy<Role extends string = string> {
  /** Ascending: a higher role includes the lower ones. */
  readonly roles?: readonly Role[];
  /** Scope that every machine's token must carry. */
  readonly m2mScope?: string;
  /** Claim that holds a person's tenant; default `custom:tenant_id`. */
  readonly tenantClaim?: string;
  /** Claim that holds a person's role; default `custom:role`. */
  readonly roleClaim?: string;
  readonly routes: readonly Route<NoInfer<Role>>[];
}

/** Which requests a route takes. */
export interface Reach {
  readonly pattern: Pattern;
  /** Undefined: every method. `GET` has brought `HEAD` along. */
  readonly methods: ReadonlySet<string> | undefined;
}

/** A route with its pattern compiled and its defaults filled in. */
export interface CompiledRoute extends Reach {
  readonly access: "authenticated" | "public" | "deny";
  readonly callers: readonly CallerKind[];
  readonly tokenUse: readonly TokenUse[];
  readonly role: string | undefined;
  readonly scopes: readonly string[] | undefined;
  readonly groups: readonly string[] | undefined;
  readonly tenant: boolean;
  /** Index of the path segment that must equal the tenant. */
  readonly tenantSegment: number | undefined;
  readonly origin: string | undefined;
  readonly cors: readonly string[] | undefined;
  readonly mode: "enforce" | "report" | undefined;
}

/** A policy that has passed `parsePolicy`. */
export interface CompiledPolicy {
  readonly roles: readonly string[];
  readonly m2mScope: string | undefined;
  readonly tenantClaim: string;
  readonly roleClaim: string;
  readonly routes: readonly CompiledRoute[];
}
