import type { AtStart } from "../at-start.ts";
import type { Parsed } from "../config.ts";
import { checkMembers, fieldOf, isTable, itemsOf } from "../shape.ts";
import { type Pattern, parsePattern } from "./pattern.ts";
import type { CompiledPolicy, CompiledRoute, Policy, Reach, Route } from "./schema.ts";
import { POLICY, ROUTE } from "./tables.ts";

const REQUIREMENTS = ["role", "scopes", "groups", "tenantParam"] as const;

const parameterIndex = (({ segments }: Pattern, name: string): number => {
  for (let index = 0; index < segments.length; index += 1) {
    const segment = segments[index];
    if (segment?.kind === "param" && segment.name === name) return index;
  }
  return -1;
}) satisfies AtStart;

/** What is wrong between the members of a route; what is wrong with each alone is another fault. */
const checkBetween = ((
  route: unknown,
  pattern: Pattern | undefined,
  roles: readonly unknown[],
  at: string,
  faults: string[],
): void => {
  const role = fieldOf(route, "role");
  if (typeof role === "string" && !roles.includes(role)) faults.push(`${at}.role: is not one of roles`);
  const access = fieldOf(route, "access");
  if (access === "public" || access === "deny")
    for (const field of REQUIREMENTS)
      if (fieldOf(route, field) !== undefined)
        faults.push(`${at}.${field}: has no effect on a ${access} route`);
  const tenantParam = fieldOf(route, "tenantParam");
  if (pattern !== undefined && typeof tenantParam === "string" && parameterIndex(pattern, tenantParam) === -1)
    faults.push(`${at}.tenantParam: is not a parameter of the path`);
}) satisfies AtStart;

/** Undefined where the route's own form is not right. */
const readRoute = ((
  table: unknown,
  at: string,
  roles: readonly unknown[],
  faults: string[],
): Reach | undefined => {
  const path = fieldOf(table, "path");
  const parsed = typeof path === "string" ? parsePattern(path) : undefined;
  if (parsed?.ok === false) faults.push(...parsed.faults.map((fault) => `${at}.path: ${fault}`));
  const pattern = parsed?.ok ? parsed.value : undefined;
  const known = faults.length;
  if (isTable(table)) checkMembers(table, ROUTE, ["path"], `${at}.`, faults);
  else faults.push(`${at}: must be a table`);
  const isRoute = faults.length === known;
  checkBetween(table, pattern, roles, at, faults);
  if (!isRoute || pattern === undefined) return undefined;
  const { methods } = table as Route;
  return { pattern, methods: methods && new Set(methods.includes("GET") ? [...methods, "HEAD"] : methods) };
}) satisfies AtStart;

/** A policy as far as it can be read. */
export interface PolicyReading {
  /** Every fault, as {@link parsePolicy} names them. None: it is a `Policy`, and no reach is missing. */
  readonly faults: readonly string[];
  /** What each route takes, in the order of the table; undefined where its own form is not right. */
  readonly reaches: readonly (Reach | undefined)[];
}

/** Reads a policy as {@link parsePolicy} does, and hands out what it could make of a faulty one. */
export const readPolicy = ((policy: unknown): PolicyReading => {
  const faults: string[] = [];
  if (isTable(policy)) checkMembers(policy, POLICY, ["routes"], "", faults);
  else faults.push("must be a table with routes");
  const roles = itemsOf(fieldOf(policy, "roles"));
  const routes = itemsOf(fieldOf(policy, "routes"));
  const reaches: (Reach | undefined)[] = [];
  for (let index = 0; index < routes.length; index += 1)
    reaches.push(readRoute(routes[index], `routes.${index}`, roles, faults));
  return { faults, reaches };
}) satisfies AtStart;

/** Without the policy's own arrays, which whoever wrote it may go on changing. */
const copyOf = <T>(values: readonly T[] | undefined): readonly T[] | undefined => values && [...values];

const compileRoute = (route: Route, { pattern, methods }: Reach): CompiledRoute => ({
  pattern,
  methods,
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

/** Fills in the defaults of a policy in which {@link readPolicy} found no fault. */
export const compileRead = (policy: Policy, { reaches }: PolicyReading): CompiledPolicy => ({
  roles: copyOf(policy.roles) ?? [],
  m2mScope: policy.m2mScope,
  tenantClaim: policy.tenantClaim ?? "custom:tenant_id",
  roleClaim: policy.roleClaim ?? "custom:role",
  routes: policy.routes.flatMap((route, index) => {
    const reach = reaches[index];
    return reach === undefined ? [] : compileRoute(route, reach);
  }),
});

/**
 * Validates and compiles a policy, field by field; every fault is named as `routes.2.role: …`. Does not
 * look for routes that earlier ones cover: `lint.ts` does.
 */
export function parsePolicy(input: unknown): Parsed<CompiledPolicy> {
  const reading = readPolicy(input);
  const { faults } = reading;
  return faults.length > 0
    ? { ok: false, faults }
    : { ok: true, value: compileRead(input as Policy, reading) };
}
