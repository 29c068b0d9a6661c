import type { AtStart } from "../at-start.ts";
import { isBrowserOrigin } from "../browser-origin.ts";
import { arrayOf, type Check, type Checks, itemsOf, oneOf } from "../shape.ts";
import { consistsOf } from "./characters.ts";
import type { Policy, Route } from "./schema.ts";

const CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const METHOD = `${CAPITALS}-`;
// RFC 6749 section 3.3: visible ASCII without quote and backslash
const SCOPE = `!#$%&'()*+,-./0123456789:;<=>?@${CAPITALS}[]^_\`abcdefghijklmnopqrstuvwxyz{|}~`;

const scope = ((value, path, faults) => {
  if (typeof value !== "string" || value === "" || !consistsOf(value, SCOPE))
    faults.push(`${path}: must be a scope`);
}) satisfies AtStart<Check>;

const name = ((value, path, faults) => {
  if (typeof value !== "string") faults.push(`${path}: must be a name`);
  else if (value === "") faults.push(`${path}: must not be empty`);
}) satisfies AtStart<Check>;

const method = ((value, path, faults) => {
  if (typeof value !== "string") faults.push(`${path}: must be a method`);
  else if (!CAPITALS.includes(value[0] ?? "-") || !consistsOf(value, METHOD))
    faults.push(`${path}: must be a method in capitals`);
  else if (value === "CONNECT" || value === "TRACE") faults.push(`${path}: is never served by the gateway`);
}) satisfies AtStart<Check>;

const AN_ARRAY = "must be an array";
const NOBODY = "must not be empty: it would let nobody in";

const names = arrayOf(name, "must be an array of names");

const ladder = ((value, path, faults) => {
  names(value, path, faults);
  const rungs = itemsOf(value);
  if (new Set(rungs).size < rungs.length) faults.push(`${path}: holds a value twice`);
}) satisfies AtStart<Check>;

const text = ((what: string) =>
  ((value, path, faults) => {
    if (typeof value !== "string") faults.push(`${path}: ${what}`);
  }) satisfies AtStart<Check>) satisfies AtStart;

const origins = arrayOf(text("must be an origin"), "must be an array of origins");
const isOriginOrNoText = (value: unknown): boolean => typeof value !== "string" || isBrowserOrigin(value);

const browserOrigins = ((value, path, faults) => {
  origins(value, path, faults);
  const listed = itemsOf(value);
  if (!(listed.length === 1 && listed[0] === "*") && !listed.every(isOriginOrNoText))
    faults.push(`${path}: must be exact origins such as https://app.example.com, or ["*"] alone`);
}) satisfies AtStart<Check>;

/** What a route may hold. Where none of it is a fault it is a `Route`, but for its pattern. */
export const ROUTE: Checks<Route> = {
  path: text("must be a string"), // and a pattern, which `parsePattern` tells
  methods: arrayOf(method, AN_ARRAY, NOBODY),
  access: oneOf(["authenticated", "public", "deny"], "authenticated, public or deny"),
  callers: arrayOf(oneOf(["user", "m2m"], "user or m2m"), AN_ARRAY, NOBODY),
  tokenUse: arrayOf(oneOf(["id", "access"], "id or access"), AN_ARRAY, NOBODY),
  role: name,
  scopes: arrayOf(scope, AN_ARRAY, NOBODY),
  groups: arrayOf(name, AN_ARRAY, NOBODY),
  tenant: oneOf([true, false], "true or false"),
  tenantParam: name,
  origin: name,
  cors: browserOrigins,
  mode: oneOf(["enforce", "report"], "enforce or report"),
};

/** What a policy may hold; its routes are checked one by one, by {@link ROUTE}. */
export const POLICY: Checks<Policy> = {
  roles: ladder,
  m2mScope: scope,
  tenantClaim: name,
  roleClaim: name,
  routes: arrayOf(undefined, AN_ARRAY, "must not be empty"),
};
