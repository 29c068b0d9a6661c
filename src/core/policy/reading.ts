import type { Parsed } from "../config.ts";
import { fieldOf, itemsOf } from "../shape.ts";
import { type Pattern, parsePattern } from "./pattern.ts";
import type { CompiledPolicy, CompiledRoute, Policy, Route } from "./schema.ts";
import { checkPolicy, checkRoute } from "./tables.ts";

const REQUIREMENTS = ["role", "scopes", "groups", "tenantParam"] as const;

const admitted = (methods: readonly string[]): ReadonlySet<string> =>
  new Set(methods.includes("GET") ? [...methods, "HEAD"] : methods);

const parameterIndex = ({ segments }: Pattern, name: string): number =>
  segments.findIndex((segment) => segment.kind === "param" && segment.name === name);

/** What is wrong between the members of a route; what is wrong with each alone is another fault. */
function checkBetween(
  route: unknown,
  pattern: Pattern | undefined,
  roles: readonly unknown[],
  at: string,
  faults: string[],
): void {
  const role = fieldOf(route, "role");
  if (typeof role === "string" && !roles.includes(role)) faults.push(`${at}.role: is not one of roles`);
  const access = fieldOf(route, "access");
  if (access === "public" || access === "deny")
    REQUIREMENTS.filter((field) => fieldOf(route, field) !== undefined).forEach((field) => {
      faults.push(`${at}.${field}: has no effect on a ${access} route`);
    });
  const tenantParam = fieldOf(route, "tenantParam");
  if (pattern !== undefined && typeof tenantParam === "string" && parameterIndex(pattern, tenantParam) === -1)
    faults.push(`${at}.tenantParam: is not a parameter of the path`);
}

/** Without the policy's own arrays, which whoever wrote it may go on changing. */
const copyOf = <T>(values: readonly T[] | undefined): readonly T[] | undefined => values && [...values];

const compileRoute = (route: Route, pattern: Pattern): CompiledRoute => ({
  pattern,
  methods: route.methods && admitted(route.methods),
  access: route.access ?? "authenticated",
  callers: copyOf(route.callers) ?? ["user", "m2m"],
  tokenUse: copyOf(route.tokenUse) ?? ["id", "access"],
  role: route.role,
  scopes: copyOf(route.scopes),
  groups: copyOf(route.groups),
  tenant: route.tenant ?? true,
  tenantSegment: route.tenantParam === undefined ? undefined : parameterIndex(pattern, route.tenantParam),
  origin: route.origin,
  cors: copyOf(route.cors),
  mode: route.mode,
});

const compileWhole = (
  { roles, m2mScope, tenantClaim, roleClaim }: Policy,
  routes: readonly CompiledRoute[],
): CompiledPolicy => ({
  roles: copyOf(roles) ?? [],
  m2mScope,
  tenantClaim: tenantClaim ?? "custom:tenant_id",
  roleClaim: roleClaim ?? "custom:role",
  routes,
});

function readPattern(path: unknown, at: string, faults: string[]): Pattern | undefined {
  const parsed = typeof path === "string" ? parsePattern(path) : undefined;
  if (parsed?.ok === false)
    parsed.faults.forEach((fault) => {
      faults.push(`${at}.path: ${fault}`);
    });
  return parsed?.ok ? parsed.value : undefined;
}

/** Undefined where the route's own form is not right. */
function readRoute(
  table: unknown,
  at: string,
  roles: readonly unknown[],
  faults: string[],
): CompiledRoute | undefined {
  const pattern = readPattern(fieldOf(table, "path"), at, faults);
  const known = faults.length;
  checkRoute(table, at, faults);
  const isRoute = faults.length === known; // and so a Route
  checkBetween(table, pattern, roles, at, faults);
  return isRoute && pattern !== undefined ? compileRoute(table as Route, pattern) : undefined;
}

/** A policy as far as it can be read. */
export interface PolicyReading {
  /** Undefined where there is a fault. */
  readonly policy: CompiledPolicy | undefined;
  /** Every fault, as {@link parsePolicy} names them. */
  readonly faults: readonly string[];
  /** The routes of the table, in its order; undefined where one's own form is not right. */
  readonly routes: readonly (CompiledRoute | undefined)[];
}

/** Reads a policy as {@link parsePolicy} does, and hands out what it could make of a faulty one. */
export function readPolicy(policy: unknown): PolicyReading {
  const faults: string[] = [];
  checkPolicy(policy, faults);
  const roles = itemsOf(fieldOf(policy, "roles"));
  const routes = Array.from(itemsOf(fieldOf(policy, "routes")), (table, index) =>
    readRoute(table, `routes.${index}`, roles, faults),
  );
  // without a fault it is a Policy, and no route of it is missing
  const compiled =
    faults.length === 0 ? compileWhole(policy as Policy, routes as CompiledRoute[]) : undefined;
  return { policy: compiled, faults, routes };
}

/**
 * Validates and compiles a policy, field by field; every fault is named as `routes.2.role: …`. Does not
 * look for routes that earlier ones cover: `lint.ts` does.
 */
export function parsePolicy(input: unknown): Parsed<CompiledPolicy> {
  const { policy, faults } = readPolicy(input);
  return policy === undefined ? { ok: false, faults } : { ok: true, value: policy };
}
