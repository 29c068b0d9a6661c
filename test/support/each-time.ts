/**
 * Stands for src/core/once.ts in a mutation run: what one mutant has made must not be there for the next one.
 */
export const once =
  <T>(create: () => T): (() => T) =>
  () =>
    create();
