import { isBrowserOrigin } from "../browser-origin.ts";
import { consistsOf } from "./characters.ts";
import type { Policy, Route } from "./schema.ts";

// By hand, since `definePolicy` throws: this runs at the start of every isolate, once and cold. The many small functions
// of a schema library took a third of that start.

/** Adds what is wrong with a value, each fault as `path: what`. */
type Check = (value: unknown, path: string, faults: string[]) => void;
/** A check for every member that there may be. */
type Checks<Table> = Readonly<Record<keyof Table, Check>>;

/** A member of a table that may be anything; undefined where there is none. */
export const fieldOf = (table: unknown, name: string): unknown =>
  typeof table === "object" && table !== null ? Reflect.get(table, name) : undefined;

const CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const METHOD = `${CAPITALS}-`;
// RFC 6749 section 3.3: visible ASCII without quote and backslash
const SCOPE = `!#$%&'()*+,-./0123456789:;<=>?@${CAPITALS}[]^_\`abcdefghijklmnopqrstuvwxyz{|}~`;

const scope: Check = (value, path, faults) => {
  if (typeof value !== "string" || value === "" || !consistsOf(value, SCOPE))
    faults.push(`${path}: must be a scope`);
};

const name: Check = (value, path, faults) => {
  if (typeof value !== "string") faults.push(`${path}: must be a name`);
  else if (value === "") faults.push(`${path}: must not be empty`);
};

const method: Check = (value, path, faults) => {
  if (typeof value !== "string") faults.push(`${path}: must be a method`);
  else if (!CAPITALS.includes(value[0] ?? "-") || !consistsOf(value, METHOD))
    faults.push(`${path}: must be a method in capitals`);
  else if (value === "CONNECT" || value === "TRACE") faults.push(`${path}: is never served by the gateway`);
};

const oneOf =
  (values: readonly unknown[], choice: string): Check =>
  (value, path, faults) => {
    if (!values.includes(value)) faults.push(`${path}: must be ${choice}`);
  };

function checkEach(values: readonly unknown[], item: Check, path: string, faults: string[]): void {
  for (let index = 0; index < values.length; index += 1) item(values[index], `${path}.${index}`, faults);
}

const someOf =
  (item: Check): Check =>
  (value, path, faults) => {
    if (!Array.isArray(value)) faults.push(`${path}: must be an array`);
    else if (value.length === 0) faults.push(`${path}: must not be empty: it would let nobody in`);
    else checkEach(value, item, path, faults);
  };

const ladder: Check = (value, path, faults) => {
  if (!Array.isArray(value)) faults.push(`${path}: must be an array of names`);
  else {
    checkEach(value, name, path, faults);
    if (new Set(value).size < value.length) faults.push(`${path}: holds a value twice`);
  }
};

const isOriginOrNoText = (value: unknown): boolean => typeof value !== "string" || isBrowserOrigin(value);

const browserOrigins: Check = (value, path, faults) => {
  if (!Array.isArray(value)) faults.push(`${path}: must be an array of origins`);
  else {
    for (const [index, origin] of value.entries())
      if (typeof origin !== "string") faults.push(`${path}.${index}: must be an origin`);
    if (!(value.length === 1 && value[0] === "*") && !value.every(isOriginOrNoText))
      faults.push(`${path}: must be exact origins such as https://app.example.com, or ["*"] alone`);
  }
};

/** A pattern, which `parsePattern` tells. */
const path: Check = (value, path, faults) => {
  if (typeof value !== "string") faults.push(`${path}: must be a string`);
};

const routes: Check = (value, path, faults) => {
  if (!Array.isArray(value)) faults.push(`${path}: must be an array`);
  else if (value.length === 0) faults.push(`${path}: must not be empty`);
};

const ROUTE: Checks<Route> = {
  path,
  methods: someOf(method),
  access: oneOf(["authenticated", "public", "deny"], "authenticated, public or deny"),
  callers: someOf(oneOf(["user", "m2m"], "user or m2m")),
  tokenUse: someOf(oneOf(["id", "access"], "id or access")),
  role: name,
  scopes: someOf(scope),
  groups: someOf(name),
  tenant: oneOf([true, false], "true or false"),
  tenantParam: name,
  origin: name,
  cors: browserOrigins,
  mode: oneOf(["enforce", "report"], "enforce or report"),
};

const POLICY: Checks<Policy> = { roles: ladder, m2mScope: scope, tenantClaim: name, roleClaim: name, routes };

/** What is wrong with the members of a table, one by one; `within` is its own path, and empty for the outermost. */
function faultsOfTable(
  table: object,
  checks: Readonly<Record<string, Check>>,
  required: string,
  within: string,
): string[] {
  const faults: string[] = [];
  // inherited ones too, since they would hold
  for (const member in table) {
    const path = within + member;
    const value = fieldOf(table, member);
    const check = Object.hasOwn(checks, member) ? checks[member] : undefined;
    if (check === undefined) faults.push(`${path}: is not known here`);
    else if (value !== undefined) check(value, path, faults);
  }
  if (fieldOf(table, required) === undefined) faults.push(`${within}${required}: is missing`);
  return faults;
}

const isTable = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** What is wrong with a route by itself, field by field. None: it is a `Route`, but for its pattern. */
export const routeFaults = (table: unknown, at: string): string[] =>
  isTable(table) ? faultsOfTable(table, ROUTE, "path", `${at}.`) : [`${at}: must be a table`];

/** What is wrong with a policy beside its routes. None: it is a `Policy`, but for what is wrong with these. */
export const policyFaults = (policy: unknown): string[] =>
  isTable(policy) ? faultsOfTable(policy, POLICY, "routes", "") : ["must be a table with routes"];
