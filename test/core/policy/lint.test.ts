import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { unreachableRoutes } from "../../../src/core/policy/lint.ts";
import type { Route } from "../../../src/core/policy/schema.ts";
import { METHODS, PATHS, tables, takes } from "./naive.ts";
import { routesOf } from "./tables.ts";

/** Routes as `METHOD,METHOD /path`, or `/path` for every method. */
const unreachable = (...lines: string[]): number[] =>
  unreachableRoutes(
    routesOf(
      ...lines.map((line): Route => {
        const [path = "", methods] = line.split(" ").reverse();
        return methods === undefined ? { path } : { path, methods: methods.split(",") };
      }),
    ),
  );

describe("a route is unreachable", () => {
  it.each([
    ["after the same route", ["/a", "/a"]],
    ["after the same parameter by another name", ["/:a", "/:b"]],
    ["after a parameter in a literal's place", ["/:x", "/a"]],
    ["after everything", ["/*", "/a/:b/*"]],
    ["after everything, at the root", ["/*", "/"]],
    ["after an open route on the same prefix", ["/a/*", "/a"]],
    ["after an open route on a shorter prefix", ["/a/*", "/a/b/c"]],
    ["after an open parameter", ["/:x/*", "/a/b/*"]],
    ["after its root and an open parameter together", ["/", "/:x/*", "/*"], [2]],
    ["after its root and an open parameter together, deeper", ["/a", "/a/:x/*", "/a/*"], [2]],
    ["after two literals' routes and the parameter's", ["/a/x", "/:p/x", "/:q/x"], [2]],
    ["after routes that split its methods", ["GET /a", "POST /a", "GET,POST /a"], [2]],
    ["after GET, for HEAD", ["GET /a", "HEAD /a"], [1]],
    ["after all methods, for one", ["/a", "GET /a"], [1]],
  ] as const)("%s", (_name, lines, expected?: readonly number[]) => {
    expect(unreachable(...lines)).toEqual(expected ?? [1]);
  });

  it("each by its index, where several are", () => {
    expect(unreachable("/a", "/a", "/b", "/*", "/c", "/b")).toEqual([1, 4, 5]);
  });
});

describe("a route is reachable", () => {
  it.each([
    ["alone", ["/a"]],
    ["beside others", ["/a", "/b", "/a/b"]],
    ["before a wider one", ["/a", "/:x", "/*"]],
    ["after a literal in its parameter's place", ["/a", "/:x"]],
    ["after many literals in its parameter's place", ["/a", "/b", "/c", "/:x"]],
    ["after one that overlaps", ["/a/:x", "/:y/b"]],
    ["after a shorter one", ["/a", "/a/b"]],
    ["after a longer one", ["/a/b", "/a"]],
    ["as an open route, after the closed one", ["/a", "/a/*"]],
    ["as an open route, after all but its own end", ["/a/:x/*", "/a/*"]],
    ["as an open route, after its end and one level", ["/a", "/a/:x", "/a/*"]],
    ["as an open route, after one of its branches", ["/a", "/a/b/*", "/a/*"]],
    ["by another method", ["GET /a", "POST /a"]],
    ["by GET, after HEAD", ["HEAD /a", "GET /a"]],
    ["by one of its methods", ["GET /a", "GET,POST /a"]],
    ["by every other method", ["GET /a", "POST /a", "/a"]],
    ["where different methods cover different paths", ["GET /:x", "POST /a", "GET,POST /:y"]],
    ["after a route of another letter case", ["/A", "/a"]],
  ] as const)("%s", (_name, lines) => {
    expect(unreachable(...lines)).toEqual([]);
  });
});

it("calls unreachable just what no path and method leads to", () => {
  let found = 0;
  fc.assert(
    fc.property(tables, (table) => {
      const routes = routesOf(...table);
      const expected = routes.flatMap((route, index) => {
        const earlier = routes.slice(0, index);
        const isReached = PATHS.some((path) =>
          METHODS.some(
            (method) => takes(route, path, method) && !earlier.some((other) => takes(other, path, method)),
          ),
        );
        return isReached ? [] : [index];
      });
      found += expected.length;
      expect(unreachableRoutes(routes)).toEqual(expected);
    }),
    { numRuns: 150 },
  );
  expect(found).toBeGreaterThan(50); // the tables are such that it matters
});
