import * as v from "valibot";
import { faultsOf, isBrowserOrigin, type Parsed } from "../config.ts";
import { type Pattern, parsePattern } from "./pattern.ts";

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

/** A route with its pattern compiled and its defaults filled in. */
export interface CompiledRoute {
  readonly pattern: Pattern;
  /** Undefined: every method. `GET` has brought `HEAD` along. */
  readonly methods: ReadonlySet<string> | undefined;
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

/** A policy that has passed {@link parsePolicy}. */
export interface CompiledPolicy {
  readonly roles: readonly string[];
  readonly m2mScope: string | undefined;
  readonly tenantClaim: string;
  readonly roleClaim: string;
  readonly routes: readonly CompiledRoute[];
}

// RFC 6749 section 3.3: visible ASCII without quote and backslash
const scope = v.pipe(v.string("must be a scope"), v.regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, "must be a scope"));
const name = v.pipe(v.string("must be a name"), v.minLength(1, "must not be empty"));
const method = v.pipe(
  v.string("must be a method"),
  v.regex(/^[A-Z][A-Z-]*$/, "must be a method in capitals"),
  v.check((value) => value !== "CONNECT" && value !== "TRACE", "is never served by the gateway"),
);
const browserOrigins = v.pipe(
  v.array(v.string("must be an origin"), "must be an array of origins"),
  v.check(
    (origins) => (origins.length === 1 && origins[0] === "*") || origins.every(isBrowserOrigin),
    'must be exact origins such as https://app.example.com, or ["*"] alone',
  ),
);
const someOf = <T extends v.GenericSchema>(item: T) =>
  v.pipe(v.array(item, "must be an array"), v.minLength(1, "must not be empty: it would let nobody in"));
const unique = <T extends v.GenericSchema<unknown, string[]>>(schema: T) =>
  v.pipe(
    schema,
    v.check((values) => new Set(values).size === values.length, "holds a value twice"),
  );

const routeSchema = v.strictObject(
  {
    path: v.string("must be a string"),
    methods: v.optional(someOf(method)),
    access: v.optional(
      v.picklist(["authenticated", "public", "deny"], "must be authenticated, public or deny"),
    ),
    callers: v.optional(someOf(v.picklist(["user", "m2m"], "must be user or m2m"))),
    tokenUse: v.optional(someOf(v.picklist(["id", "access"], "must be id or access"))),
    role: v.optional(name),
    scopes: v.optional(someOf(scope)),
    groups: v.optional(someOf(name)),
    tenant: v.optional(v.boolean("must be true or false")),
    tenantParam: v.optional(name),
    origin: v.optional(name),
    cors: v.optional(browserOrigins),
    mode: v.optional(v.picklist(["enforce", "report"], "must be enforce or report")),
  },
  "must be a table",
);

const policySchema = v.strictObject(
  {
    roles: v.optional(unique(v.array(name, "must be an array of names")), []),
    m2mScope: v.optional(scope),
    tenantClaim: v.optional(name, "custom:tenant_id"),
    roleClaim: v.optional(name, "custom:role"),
    routes: v.pipe(v.array(routeSchema, "must be an array"), v.minLength(1, "must not be empty")),
  },
  "must be a table with routes",
);

type RouteTable = v.InferOutput<typeof routeSchema>;

const REQUIREMENTS = ["role", "scopes", "groups", "tenantParam"] as const;

const admitted = (methods: readonly string[]): ReadonlySet<string> =>
  new Set(methods.includes("GET") ? [...methods, "HEAD"] : methods);

function compileRoute(route: RouteTable, roles: readonly string[], fault: (text: string) => void) {
  const parsed = parsePattern(route.path);
  if (!parsed.ok) for (const text of parsed.faults) fault(`path: ${text}`);
  if (route.role !== undefined && !roles.includes(route.role)) fault("role: is not one of roles");
  const open = route.access === "public" || route.access === "deny";
  for (const field of REQUIREMENTS)
    if (open && route[field] !== undefined) fault(`${field}: has no effect on a ${route.access} route`);
  if (!parsed.ok) return undefined;
  const tenantSegment = parsed.value.segments.findIndex(
    (segment) => segment.kind === "param" && segment.name === route.tenantParam,
  );
  if (route.tenantParam !== undefined && tenantSegment === -1)
    fault("tenantParam: is not a parameter of the path");
  return {
    pattern: parsed.value,
    methods: route.methods && admitted(route.methods),
    access: route.access ?? "authenticated",
    callers: route.callers ?? ["user", "m2m"],
    tokenUse: route.tokenUse ?? ["id", "access"],
    role: route.role,
    scopes: route.scopes,
    groups: route.groups,
    tenant: route.tenant ?? true,
    tenantSegment: route.tenantParam === undefined ? undefined : tenantSegment,
    origin: route.origin,
    cors: route.cors,
    mode: route.mode,
  } satisfies CompiledRoute;
}

/**
 * Validates and compiles a policy, field by field; every fault is named as `routes.2.role: …`. Does not
 * look for routes that earlier ones cover: `lint.ts` does.
 */
export function parsePolicy(policy: unknown): Parsed<CompiledPolicy> {
  const result = v.safeParse(policySchema, policy);
  if (!result.success) return { ok: false, faults: faultsOf(result.issues) };
  const { roles, m2mScope, tenantClaim, roleClaim } = result.output;
  const faults: string[] = [];
  const routes: CompiledRoute[] = [];
  for (const [index, table] of result.output.routes.entries()) {
    const route = compileRoute(table, roles, (text) => faults.push(`routes.${index}.${text}`));
    if (route !== undefined) routes.push(route);
  }
  if (faults.length > 0) return { ok: false, faults };
  return { ok: true, value: { roles, m2mScope, tenantClaim, roleClaim, routes } };
}
