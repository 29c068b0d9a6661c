import type { Pattern, Segment } from "./pattern.ts";
import type { CompiledRoute } from "./schema.ts";

/** Does `segment` take all that `own` takes? Past the end of an open pattern `own` may be anything. */
const takesAll = (segment: Segment | undefined, own: Segment | undefined): boolean =>
  segment?.kind === "param" ||
  (segment?.kind === "literal" && own?.kind === "literal" && segment.text === own.text);

/**
 * Do `patterns` together take every path that `pattern` takes from `depth` on? All have agreed until there.
 * For a parameter it is enough to ask about a value that none of them spells out: who takes that takes all.
 */
function isCovered(pattern: Pattern, patterns: readonly Pattern[], depth: number): boolean {
  if (patterns.length === 0) return false;
  if (patterns.some(({ open, segments }) => open && segments.length === depth)) return true;
  const own = pattern.segments[depth];
  if (own === undefined) {
    if (!patterns.some(({ segments }) => segments.length === depth)) return false;
    if (!pattern.open) return true;
  }
  const alive = patterns.filter(({ segments }) => takesAll(segments[depth], own));
  return isCovered(pattern, alive, depth + 1);
}

/** Stands for every method that no route names: who takes it takes all. */
const ANY_OTHER_METHOD = "*";

/** Do `earlier` routes together take every path and method of `route`? */
function isUnreachable(route: CompiledRoute, earlier: readonly (CompiledRoute | undefined)[]): boolean {
  const ofMethod = (method: string): Pattern[] =>
    earlier.flatMap((other) =>
      other !== undefined && (other.methods === undefined || other.methods.has(method)) ? other.pattern : [],
    );
  return [...(route.methods ?? [ANY_OTHER_METHOD])].every((method) =>
    isCovered(route.pattern, ofMethod(method), 0),
  );
}

/**
 * Indexes of the routes that can never be reached, since the earlier ones together take every path and method of
 * theirs. Mere overlap is not reported. Undefined stands for a route that could not be read: it takes nothing.
 */
export const unreachableRoutes = (routes: readonly (CompiledRoute | undefined)[]): number[] =>
  routes.flatMap((route, index) =>
    route !== undefined && isUnreachable(route, routes.slice(0, index)) ? index : [],
  );
