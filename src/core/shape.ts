// What comes from outside is checked by hand in all that a Worker runs: each isolate does it once, cold, before it can
// answer. The many small functions of a schema library, each compiled for that one use, took longer there than all else.

/** Is this a table of members: an object, and no array? */
export const isTable = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A member of what may be anything; undefined where there is none. */
export const fieldOf = (table: unknown, name: string): unknown =>
  typeof table === "object" && table !== null ? Reflect.get(table, name) : undefined;

/** The items of what may be anything; none where it is no array. */
export const itemsOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** Adds what is wrong with a value, each fault as `path: what`. */
export type Check = (value: unknown, path: string, faults: string[]) => void;

/** A check for every member that a table may have. */
export type Checks<Table> = Readonly<Record<keyof Table & string, Check>>;

/** Checks the items of an array one by one, holes among them. */
export function checkEach(values: readonly unknown[], item: Check, path: string, faults: string[]): void {
  for (let index = 0; index < values.length; index += 1) item(values[index], `${path}.${index}`, faults);
}

/**
 * Checks the members of a table one by one. One that is undefined counts as absent; one without a check is a fault.
 * `within`: the path of the table with a final dot, or empty.
 */
export function checkMembers(
  table: object,
  checks: Readonly<Record<string, Check>>,
  required: readonly string[],
  within: string,
  faults: string[],
): void {
  required
    .filter((member) => fieldOf(table, member) === undefined)
    .forEach((member) => {
      faults.push(`${within}${member}: is missing`);
    });
  // inherited ones too, since they would hold
  for (const member in table) {
    const value = fieldOf(table, member);
    if (!Object.hasOwn(checks, member)) faults.push(`${within}${member}: is not known here`);
    else if (value !== undefined) checks[member]?.(value, within + member, faults);
  }
}
