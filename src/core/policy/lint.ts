import type { Pattern, Segment } from "./pattern.ts";
import type { CompiledRoute } from "./schema.ts";

/** A segment that no pattern spells out. */
const ANY_OTHER = Symbol("any other segment");
type Symbolic = string | typeof ANY_OTHER;

const takes = (segment: Segment | undefined, symbol: Symbolic): boolean =>
  segment !== undefined && (segment.kind === "param" || segment.text === symbol);

/** Does one of `patterns` take every path that `pattern` takes from `depth` on? All have agreed until there. */
function isCovered(pattern: Pattern, patterns: readonly Pattern[], depth: number): boolean {
  if (patterns.some(({ open, segments }) => open && segments.length === depth)) return true;
  const own = pattern.segments[depth];
  const mayEndHere = own === undefined;
  if (mayEndHere && !patterns.some(({ segments, open }) => !open && segments.length === depth)) return false;
  if (mayEndHere && !pattern.open) return true;
  const symbols: Symbolic[] =
    own?.kind === "literal"
      ? [own.text]
      : [
          ANY_OTHER,
          ...patterns.flatMap(({ segments }) => {
            const segment = segments[depth];
            return segment?.kind === "literal" ? [segment.text] : [];
          }),
        ];
  return symbols.every((symbol) => {
    const alive = patterns.filter(({ segments }) => takes(segments[depth], symbol));
    return alive.length > 0 && isCovered(pattern, alive, depth + 1);
  });
}

const ANY_OTHER_METHOD = "*";

/** Methods by which two routes can differ: those that any of them names, and one that none does. */
const methodsOf = (route: CompiledRoute, earlier: readonly CompiledRoute[]): string[] =>
  route.methods !== undefined
    ? [...route.methods]
    : [ANY_OTHER_METHOD, ...new Set(earlier.flatMap(({ methods }) => [...(methods ?? [])]))];

/**
 * Indexes of the routes that can never be reached, since the earlier ones together take every path and
 * method of theirs. Mere overlap is not reported.
 */
export function unreachableRoutes(routes: readonly CompiledRoute[]): number[] {
  return routes.flatMap((route, index) => {
    const earlier = routes.slice(0, index);
    const unreachable = methodsOf(route, earlier).every((method) =>
      isCovered(
        route.pattern,
        earlier.filter(({ methods }) => methods === undefined || methods.has(method)).map((r) => r.pattern),
        0,
      ),
    );
    return unreachable ? [index] : [];
  });
}
