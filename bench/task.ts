/** A workload: does its operation so many times. */
export type Task = (count: number) => void | Promise<void>;

/** Ends a run whose contender does not do what it should. */
export function fail(reason: string): never {
  throw new Error(reason);
}
