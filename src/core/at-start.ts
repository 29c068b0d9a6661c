/**
 * Marks a function that runs while the Worker's module is evaluated: `const f = (() => …) satisfies AtStart`. V8 takes
 * a function in parentheses, which `satisfies` needs, for one that is called at once, and compiles it where it comes
 * by. Any other it skims, and reads again when it is called, which took a twelfth of a start's instructions.
 */
export type AtStart<F extends (...args: never[]) => unknown = (...args: never[]) => unknown> = F;
