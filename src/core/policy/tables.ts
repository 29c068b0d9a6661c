import * as v from "valibot";
import { isBrowserOrigin } from "../browser-origin.ts";

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

/** Form of a route, field by field. */
export const routeSchema = v.strictObject(
  {
    path: v.string("must be a string"), // and a pattern, which `parsePattern` tells
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

/** Form of a policy; its routes are read one by one with {@link routeSchema}. */
export const policySchema = v.strictObject(
  {
    roles: v.optional(unique(v.array(name, "must be an array of names")), []),
    m2mScope: v.optional(scope),
    tenantClaim: v.optional(name, "custom:tenant_id"),
    roleClaim: v.optional(name, "custom:role"),
    routes: v.pipe(v.array(v.unknown(), "must be an array"), v.minLength(1, "must not be empty")),
  },
  "must be a table with routes",
);

/** A route of the right form. */
export type RouteTable = v.InferOutput<typeof routeSchema>;
