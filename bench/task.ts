/** A workload: does its operation so many times. */
export type Task = (count: number) => void | Promise<void>;

/** Ends a run whose contender does not do what it should. */
export function fail(reason: string): never {
  throw new Error(reason);
}

/** A claim that is a text; without it the run ends. */
export const textOf = (claim: unknown): string =>
  typeof claim === "string" && claim !== "" ? claim : fail("no such claim");
