import type { AtStart } from "./at-start.ts";

/**
 * Makes a value when it is first asked for, and keeps it. For what is large and not needed to start: every isolate
 * pays for what a module makes on its way in, most of them before a request waits for it.
 */
export const once = (<T>(create: () => T): (() => T) => {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: create() };
    return made.value;
  };
}) satisfies AtStart;
