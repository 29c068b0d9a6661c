import type { AtStart } from "../at-start.ts";

/**
 * Is every character of `text` one of `allowed`? For what runs at the start of an isolate, in place of a regular
 * expression: V8 compiles one to machine code when it is run the second time, and nothing else there needs any.
 */
export const consistsOf = ((text: string, allowed: string): boolean => {
  for (let index = 0; index < text.length; index += 1)
    if (!allowed.includes(text.charAt(index))) return false;
  return true;
}) satisfies AtStart;
