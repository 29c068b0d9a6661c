/** The name of the work that settles first: who is faster is told without a clock. */
export const firstOf = (works: Readonly<Record<string, Promise<unknown>>>): Promise<string> =>
  Promise.race(Object.entries(works).map(([name, work]) => work.then(() => name)));
