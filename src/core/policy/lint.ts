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

/**
 * Indexes of the routes that can never be reached, since the earlier ones together take every path and
 * method of theirs. Mere overlap is not reported.
 */
export function unreachableRoutes(routes: readonly CompiledRoute[]): number[] {
  return routes.flatMap((route, index) => {
    const earlier = routes.slice(0, index);
    const unreachable = [...(route.methods ?? [ANY_OTHER_METHOD])].every((method) =>
      isCovered(
        route.pattern,
        earlier.filter(({ methods }) => methods === undefined || methods.has(method)).map((r) => r.pattern),
        0,
      ),
    );
    return unreachable ? [index] : [];
  });
}
