import type { Notice, Scope } from "../core/scope.ts";

/** Settles as `work` does, or rejects after `limitMs`. The work itself goes on. */
export function within<T>(work: Promise<T>, limitMs: number): Promise<T> {
  let timer: number | null = null;
  const limit = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${limitMs} ms`)), limitMs);
  });
  return Promise.race([work, limit]).finally(() => clearTimeout(timer));
}

/** Writes a fault, an outage or a corrupt entry as a log line of its own. */
export const report = (notice: Notice): void => console.error(JSON.stringify(notice));

/** What this request lends the core. */
export const createScope = (context: ExecutionContext): Scope => ({
  now: Date.now,
  defer: (work) => context.waitUntil(work),
  within,
  report,
});
