import type { AtStart } from "./at-start.ts";

// In all that a Worker runs, what comes from outside is checked by hand: each isolate does so once, cold, before it can
// answer. A schema library has many small functions; to compile each for that one use took longer than all the rest.

/** Is this a table of members: an object, and no array? */
export const isTable = ((value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)) satisfies AtStart;

/** A member of what may be anything; undefined where there is none. */
export const fieldOf = ((table: unknown, name: string): unknown =>
  typeof table === "object" && table !== null ? Reflect.get(table, name) : undefined) satisfies AtStart;

/** The items of what may be anything; none where it is no array. */
export const itemsOf = ((value: unknown): readonly unknown[] =>
  Array.isArray(value) ? value : []) satisfies AtStart;

/** Adds what is wrong with a value, each fault as `path: what`. */
export type Check = (value: unknown, path: string, faults: string[]) => void;

/** A check for every member that a table may have. */
export type Checks<Table> = Readonly<Record<keyof Table & string, Check>>;

/** Checks the items of an array one by one, holes among them. */
const checkEach = ((values: readonly unknown[], item: Check, path: string, faults: string[]): void => {
  for (let index = 0; index < values.length; index += 1) item(values[index], `${path}.${index}`, faults);
}) satisfies AtStart;

/** A check that the value is one of these; `choice`: how they are named. */
export const oneOf = ((values: readonly unknown[], choice: string) =>
  ((value, path, faults) => {
    if (!values.includes(value)) faults.push(`${path}: must be ${choice}`);
  }) satisfies AtStart<Check>) satisfies AtStart;

/** A check of a text against a pattern; `what`: what it must be. */
export const matching =
  (pattern: RegExp, what: string): Check =>
  (value, path, faults) => {
    if (typeof value !== "string" || !pattern.test(value)) faults.push(`${path}: ${what}`);
  };

/**
 * A check of an array and its items, which may be anything without `item`; an empty one is a fault where `whatIfEmpty`
 * says so.
 */
export const arrayOf = ((item: Check | undefined, what: string, whatIfEmpty?: string) =>
  ((value, path, faults) => {
    if (!Array.isArray(value)) faults.push(`${path}: ${what}`);
    else if (value.length === 0 && whatIfEmpty !== undefined) faults.push(`${path}: ${whatIfEmpty}`);
    else if (item !== undefined) checkEach(value, item, path, faults);
  }) satisfies AtStart<Check>) satisfies AtStart;

/**
 * Checks the members of a table one by one. One that is undefined counts as absent; one without a check is a fault.
 * Each is asked for by its name, as whoever uses the table will: a getter or an inherited member is checked like any other.
 * `within`: the path of the table with a final dot, or empty.
 */
export const checkMembers = ((
  table: object,
  checks: Readonly<Record<string, Check>>,
  required: readonly string[],
  within: string,
  faults: string[],
): void => {
  for (const member in checks) {
    const value = fieldOf(table, member);
    if (value !== undefined) checks[member]?.(value, within + member, faults);
    else if (required.includes(member)) faults.push(`${within}${member}: is missing`);
  }
  for (const member in table)
    if (!Object.hasOwn(checks, member)) faults.push(`${within}${member}: is not known here`);
}) satisfies AtStart;
