import type { Parsed } from "../config.ts";
import { type Pattern, parsePattern } from "./pattern.ts";
import type { CompiledPolicy, CompiledRoute, Policy, Route } from "./schema.ts";
import { fieldOf, policyFaults, routeFaults } from "./tables.ts";

const REQUIREMENTS = ["role", "scopes", "groups", "tenantParam"] as const;

const admitted = (methods: readonly string[]): ReadonlySet<string> =>
  new Set(methods.includes("GET") ? [...methods, "HEAD"] : methods);

const parameterIndex = ({ segments }: Pattern, name: string): number =>
  segments.findIndex((segment) => segment.kind === "param" && segment.name === name);

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

const compileHead = ({ roles, m2mScope, tenantClaim, roleClaim }: Policy) => ({
  roles: copyOf(roles) ?? [],
  m2mScope,
  tenantClaim: tenantClaim ?? "custom:tenant_id",
  roleClaim: roleClaim ?? "custom:role",
});

/** A route as far as it can be read. */
interface RouteReading {
  /** Undefined where its own form is not right. */
  readonly route: CompiledRoute | undefined;
  readonly faults: readonly string[];
}

function readRoute(table: unknown, at: string, roles: readonly unknown[]): RouteReading {
  const path = fieldOf(table, "path");
  const parsed = typeof path === "string" ? parsePattern(path) : undefined;
  const pattern = parsed?.ok ? parsed.value : undefined;
  const ownFaults = routeFaults(table, at);
  const faults = [
    ...(parsed?.ok === false ? parsed.faults.map((fault) => `${at}.path: ${fault}`) : []),
    ...ownFaults,
    ...faultsBetweenFields(table, pattern, roles).map((fault) => `${at}.${fault}`),
  ];
  // without a fault of its own it is a Route
  const isRoute = ownFaults.length === 0 && pattern !== undefined;
  return { route: isRoute ? compileRoute(table as Route, pattern) : undefined, faults };
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
  const roles = arrayOf(fieldOf(policy, "roles"));
  const readings = Array.from(arrayOf(fieldOf(policy, "routes")), (table, index) =>
    readRoute(table, `routes.${index}`, roles),
  );
  const faults = [...policyFaults(policy), ...readings.flatMap((reading) => reading.faults)];
  const routes = readings.map(({ route }) => route);
  const isWhole = faults.length === 0 && routes.every((route) => route !== undefined);
  return { policy: isWhole ? { ...compileHead(policy as Policy), routes } : undefined, faults, routes };
}

/**
 * Validates and compiles a policy, field by field; every fault is named as `routes.2.role: …`. Does not
 * look for routes that earlier ones cover: `lint.ts` does.
 */
export function parsePolicy(input: unknown): Parsed<CompiledPolicy> {
  const { policy, faults } = readPolicy(input);
  return policy === undefined ? { ok: false, faults } : { ok: true, value: policy };
}
