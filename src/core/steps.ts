/**
 * Steps that wait only where there is something to wait for: like an async function, but what is at hand is
 * used at once. In a real request one `await` that waits for nothing costs about as much as verifying a
 * signature, and a known token has nothing to wait for.
 */
export type Steps<T> = Generator<Promise<unknown>, T, unknown>;

/** `yield* settled(x)` is `await x`, without the wait where `x` is no promise. */
export function* settled<T>(value: T | Promise<T>): Steps<T> {
  // `run` sends back what this very promise resolved to
  return value instanceof Promise ? ((yield value) as T) : value;
}

async function resume<T>(steps: Steps<T>, first: Promise<unknown>): Promise<T> {
  let pending = first;
  for (;;) {
    let result: IteratorResult<Promise<unknown>, T>;
    try {
      result = steps.next(await pending);
    } catch (error) {
      result = steps.throw(error);
    }
    if (result.done) return result.value;
    pending = result.value;
  }
}

/** Runs steps to their end: a value where none had to wait, else a promise. Throws, or rejects, as they do. */
export function run<T>(steps: Steps<T>): T | Promise<T> {
  const result = steps.next();
  return result.done ? result.value : resume(steps, result.value);
}
