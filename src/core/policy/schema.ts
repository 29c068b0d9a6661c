import * as v from "valibot";
import { faultsOf, type Parsed } from "../config.ts";
import { type Pattern, parsePattern } from "./pattern.ts";
import { policySchema, type RouteTable, routeSchema } from "./tables.ts";

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

const REQUIREMENTS = ["role", "scopes", "groups", "tenantParam"] as const;

const admitted = (methods: readonly string[]): ReadonlySet<string> =>
  new Set(methods.includes("GET") ? [...methods, "HEAD"] : methods);

const parameterIndex = ({ segments }: Pattern, name: string): number =>
  segments.findIndex((segment) => segment.kind === "param" && segment.name === name);

// A policy as it comes, as far as one field is judged by another; what is wrong with each alone is its own fault.
const fieldOf = (table: unknown, name: string): unknown =>
  typeof table === "object" && table !== null ? Reflect.get(table, name) : undefined;
const arrayOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

function faultsBetweenFields(
  route: unknown,
  pattern: Pattern | undefined,
  roles: readonly unknown[],
): string[] {
  const faults: string[] = [];
  const role = fieldOf(route, "role");
  if (typeof role === "string" && !roles.includes(role)) faults.push("role: is not one of roles");
  const access = fieldOf(route, "access");
  if (access === "public" || access === "deny")
    for (const field of REQUIREMENTS)
      if (fieldOf(route, field) !== undefined) faults.push(`${field}: has no effect on a ${access} route`);
  const tenantParam = fieldOf(route, "tenantParam");
  if (pattern !== undefined && typeof tenantParam === "string" && parameterIndex(pattern, tenantParam) === -1)
    faults.push("tenantParam: is not a parameter of the path");
  return faults;
}

const compileRoute = (route: RouteTable, pattern: Pattern): CompiledRoute => ({
  pattern,
  methods: route.methods && admitted(route.methods),
  access: route.access ?? "authenticated",
  callers: route.callers ?? ["user", "m2m"],
  tokenUse: route.tokenUse ?? ["id", "access"],
  role: route.role,
  scopes: route.scopes,
  groups: route.groups,
  tenant: route.tenant ?? true,
  tenantSegment: route.tenantParam === undefined ? undefined : parameterIndex(pattern, route.tenantParam),
  origin: route.origin,
  cors: route.cors,
  mode: route.mode,
});

/** A policy as far as it can be read. */
export interface PolicyReading {
  /** Undefined where there is a fault. */
  readonly policy: CompiledPolicy | undefined;
  /** Every fault, as {@link parsePolicy} names them. */
  readonly faults: readonly string[];
  /** The routes whose own form is right, by their index in the table. */
  readonly routes: ReadonlyMap<number, CompiledRoute>;
}

/** Reads a policy as {@link parsePolicy} does, and hands out what it could make of a faulty one. */
export function readPolicy(policy: unknown): PolicyReading {
  const head = v.safeParse(policySchema, policy);
  const faults = head.success ? [] : faultsOf(head.issues);
  const roles = arrayOf(fieldOf(policy, "roles"));
  const routes = new Map<number, CompiledRoute>();
  for (const [index, table] of arrayOf(fieldOf(policy, "routes")).entries()) {
    const name = `routes.${index}`;
    const path = fieldOf(table, "path");
    const parsed = typeof path === "string" ? parsePattern(path) : undefined;
    if (parsed?.ok === false) faults.push(...parsed.faults.map((fault) => `${name}.path: ${fault}`));
    const pattern = parsed?.ok ? parsed.value : undefined;
    const route = v.safeParse(routeSchema, table);
    if (!route.success) faults.push(...faultsOf(route.issues, name));
    faults.push(...faultsBetweenFields(table, pattern, roles).map((fault) => `${name}.${fault}`));
    if (route.success && pattern !== undefined) routes.set(index, compileRoute(route.output, pattern));
  }
  if (!head.success || faults.length > 0) return { policy: undefined, faults, routes };
  return {
    policy: { ...head.output, m2mScope: head.output.m2mScope, routes: [...routes.values()] },
    faults,
    routes,
  };
}

/**
 * Validates and compiles a policy, field by field; every fault is named as `routes.2.role: …`. Does not
 * look for routes that earlier ones cover: `lint.ts` does.
 */
export function parsePolicy(input: unknown): Parsed<CompiledPolicy> {
  const { policy, faults } = readPolicy(input);
  return policy === undefined ? { ok: false, faults } : { ok: true, value: policy };
}
