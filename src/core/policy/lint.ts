import type { AtStart } from "../at-start.ts";
import { admits } from "./matcher.ts";
import type { Pattern, Segment } from "./pattern.ts";
import type { Reach } from "./schema.ts";

/** Does `segment` take all that `own` takes? Past the end of an open pattern `own` may be anything. */
const takesAll = ((segment: Segment | undefined, own: Segment | undefined): boolean =>
  segment?.kind === "param" ||
  (segment?.kind === "literal" && own?.kind === "literal" && segment.text === own.text)) satisfies AtStart;

/**
 * Do `patterns` together take every path that `pattern` takes from `depth` on? All have agreed until there.
 * For a parameter it is enough to ask about a value that none of them spells out: who takes that takes all.
 */
const isCovered = ((pattern: Pattern, patterns: readonly Pattern[], depth: number): boolean => {
  const own = pattern.segments[depth];
  const alive: Pattern[] = [];
  let ends = false;
  for (const other of patterns) {
    if (other.segments.length === depth) {
      if (other.open) return true;
      ends = true;
    } else if (takesAll(other.segments[depth], own)) alive.push(other);
  }
  if (own === undefined && !(ends && pattern.open)) return ends;
  return alive.length > 0 && isCovered(pattern, alive, depth + 1);
}) satisfies AtStart;

/** Stands for every method that no route names: who takes it takes all. */
const ANY_OTHER_METHOD = "*";

/** Do `earlier` routes together take every path and method of `route`? */
const isUnreachable = ((route: Reach, earlier: readonly Reach[]): boolean => {
  for (const method of route.methods ?? [ANY_OTHER_METHOD]) {
    const patterns: Pattern[] = [];
    for (const other of earlier) if (admits(other, method)) patterns.push(other.pattern);
    if (!isCovered(route.pattern, patterns, 0)) return false;
  }
  return true;
}) satisfies AtStart;

/**
 * Indexes of the routes that can never be reached, since the earlier ones together take every path and method of
 * theirs. Mere overlap is not reported. Undefined stands for a route that could not be read: it takes nothing.
 */
export const unreachableRoutes = ((routes: readonly (Reach | undefined)[]): number[] => {
  const earlier: Reach[] = [];
  const unreachable: number[] = [];
  for (let index = 0; index < routes.length; index += 1) {
    const route = routes[index];
    if (route === undefined) continue;
    if (isUnreachable(route, earlier)) unreachable.push(index);
    earlier.push(route);
  }
  return unreachable;
}) satisfies AtStart;
