import fc from "fast-check";
import type { CompiledRoute, Route } from "../../../src/core/policy/schema.ts";

/** Does a route take this path and method? Told segment by segment, without any tree. */
export function takes({ pattern, methods }: CompiledRoute, path: readonly string[], method: string): boolean {
  const { segments, open } = pattern;
  const isLongEnough = open ? path.length >= segments.length : path.length === segments.length;
  const isAlike = segments.every(
    (segment, index) => segment.kind === "param" || segment.text === path[index],
  );
  return isLongEnough && isAlike && (methods === undefined || methods.has(method));
}

/** Segments of the generated paths: two that patterns spell out, and one that none does. */
const SEGMENTS = ["a", "b", "z"];
/** Methods of the generated requests: three that routes name, and one that none does. */
export const METHODS = ["GET", "HEAD", "POST", "DELETE"];

const pathsOf = (length: number): string[][] =>
  length === 0 ? [[]] : pathsOf(length - 1).flatMap((path) => SEGMENTS.map((segment) => [...path, segment]));

/** Every path of up to four segments: one more than any generated pattern has. */
export const PATHS: readonly (readonly string[])[] = [0, 1, 2, 3, 4].flatMap(pathsOf);

const pattern = fc
  .tuple(fc.array(fc.constantFrom("a", "b", ":"), { maxLength: 3 }), fc.boolean())
  .map(([kinds, open]) => {
    const path = kinds.map((kind, index) => `/${kind === ":" ? `:p${index}` : kind}`).join("");
    return open ? `${path}/*` : path || "/";
  });
const methods = fc.constantFrom(undefined, undefined, ["GET"], ["POST"], ["HEAD"], ["GET", "POST"]);

/** Tables of up to eight routes that overlap in every way. */
export const tables: fc.Arbitrary<Route[]> = fc.array(
  fc
    .tuple(pattern, methods)
    .map(([path, named]): Route => (named === undefined ? { path } : { path, methods: named })),
  { minLength: 1, maxLength: 8 },
);
