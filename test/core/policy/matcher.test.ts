import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createMatcher } from "../../../src/core/policy/matcher.ts";
import type { Route } from "../../../src/core/policy/schema.ts";
import { METHODS, PATHS, tables, takes } from "./naive.ts";
import { routesOf } from "./tables.ts";

const segmentsOf = (path: string): string[] => path.split("/").filter((segment) => segment !== "");

/** Finds the pattern of the route that takes a request. */
const finder = (...routes: Route[]) => {
  const matcher = createMatcher(routesOf(...routes));
  return (path: string, method = "GET") => matcher.match(segmentsOf(path), method)?.pattern.text;
};

describe("the matcher", () => {
  it("finds nothing in an empty table", () => {
    const matcher = createMatcher([]);
    expect(matcher.match([], "GET")).toBeUndefined();
    expect(matcher.methods([])).toEqual([]);
  });

  it("hands back the very route", () => {
    const routes = routesOf({ path: "/a" }, { path: "/b" });
    expect(createMatcher(routes).match(["b"], "GET")).toBe(routes[1]);
  });

  it("takes a literal path, and no shorter, longer or other one", () => {
    const find = finder({ path: "/a/b" });
    expect(find("/a/b")).toBe("/a/b");
    for (const path of ["/", "/a", "/a/b/c", "/a/c", "/b/b", "/A/b"])
      expect(find(path), path).toBeUndefined();
  });

  it("takes any one segment for a parameter, and not none or two", () => {
    const find = finder({ path: "/a/:x/c" });
    for (const path of ["/a/b/c", "/a/a/c", "/a/:x/c"]) expect(find(path), path).toBe("/a/:x/c");
    for (const path of ["/a/c", "/a/b/b/c", "/a/b"]) expect(find(path), path).toBeUndefined();
  });

  it("takes zero or more segments for a final star", () => {
    const find = finder({ path: "/a/*" });
    for (const path of ["/a", "/a/b", "/a/b/c/d"]) expect(find(path), path).toBe("/a/*");
    for (const path of ["/", "/b", "/ab"]) expect(find(path), path).toBeUndefined();
  });

  it("tells the root from everything", () => {
    const find = finder({ path: "/" }, { path: "/*" });
    expect(find("/")).toBe("/");
    expect(find("/a")).toBe("/*");
  });

  it("lets the first route win, whatever its form", () => {
    expect(finder({ path: "/:x" }, { path: "/a" })("/a")).toBe("/:x");
    expect(finder({ path: "/a" }, { path: "/:x" })("/a")).toBe("/a");
    expect(finder({ path: "/*" }, { path: "/a" })("/a")).toBe("/*");
    expect(finder({ path: "/a" }, { path: "/*" })("/a")).toBe("/a");
    expect(finder({ path: "/a/*" }, { path: "/a" })("/a")).toBe("/a/*");
    expect(finder({ path: "/a" }, { path: "/a/*" })("/a")).toBe("/a");
    expect(finder({ path: "/a/:x" }, { path: "/:y/b" })("/a/b")).toBe("/a/:x");
    expect(finder({ path: "/:y/b" }, { path: "/a/:x" })("/a/b")).toBe("/:y/b");
  });

  it("goes back to a parameter where the literal leads nowhere", () => {
    const find = finder({ path: "/a/b/c" }, { path: "/:x/b/d" }, { path: "/:x/:y/e" }, { path: "/*" });
    expect(find("/a/b/c")).toBe("/a/b/c");
    expect(find("/a/b/d")).toBe("/:x/b/d");
    expect(find("/a/b/e")).toBe("/:x/:y/e");
    expect(find("/a/b/f")).toBe("/*");
  });

  it("goes on to a later route where an earlier one has another method", () => {
    const find = finder({ path: "/a", methods: ["POST"] }, { path: "/a", methods: ["GET"] }, { path: "/:x" });
    expect(find("/a", "POST")).toBe("/a");
    expect(find("/a", "GET")).toBe("/a");
    expect(find("/a", "DELETE")).toBe("/:x");
    const two = routesOf({ path: "/a", methods: ["POST"] }, { path: "/a", methods: ["PUT"] });
    expect(createMatcher(two).match(["a"], "PUT")).toBe(two[1]);
    expect(createMatcher(two).match(["a"], "GET")).toBeUndefined();
  });

  it("takes HEAD where GET is named, and GET not where HEAD is", () => {
    expect(finder({ path: "/a", methods: ["GET"] })("/a", "HEAD")).toBe("/a");
    expect(finder({ path: "/a", methods: ["HEAD"] })("/a", "GET")).toBeUndefined();
    expect(finder({ path: "/a", methods: ["POST"] })("/a", "HEAD")).toBeUndefined();
  });

  it("takes methods as they are written", () => {
    const find = finder({ path: "/a", methods: ["GET"] });
    expect(find("/a", "get")).toBeUndefined();
    expect(finder({ path: "/a" })("/a", "BREW")).toBe("/a");
  });

  it("tells literals apart that have the same hash", () => {
    const find = finder({ path: "/Aa/x" }, { path: "/BB/x" }, { path: "/AaBB" }, { path: "/BBAa" });
    for (const path of ["/Aa/x", "/BB/x", "/AaBB", "/BBAa"]) expect(find(path), path).toBe(path);
    for (const path of ["/C#/x", "/AaAa", "/BBBB"]) expect(find(path), path).toBeUndefined();
  });

  it("finds each of thousands of literals that are much alike, and no other", () => {
    const paths = Array.from({ length: 5_000 }, (_, index) => `/r-${String(index).padStart(5, "0")}-pdf/é`);
    const find = finder(...paths.map((path) => ({ path })));
    for (const path of paths) expect(find(path)).toBe(path);
    expect(find("/r-05000-pdf/é")).toBeUndefined();
  });

  it("does not take names of Object's own members for routes", () => {
    const find = finder({ path: "/a" });
    for (const name of ["constructor", "__proto__", "toString"])
      expect(find(`/${name}`), name).toBeUndefined();
  });

  it("finds what trying the routes one by one finds", () => {
    fc.assert(
      fc.property(tables, (table) => {
        const routes = routesOf(...table);
        const matcher = createMatcher(routes);
        for (const path of PATHS)
          for (const method of METHODS)
            if (matcher.match(path, method) !== routes.find((route) => takes(route, path, method)))
              throw new Error(`${method} /${path.join("/")}`);
      }),
      { numRuns: 150 },
    );
  });
});

describe("the methods on a path", () => {
  const matcher = createMatcher(
    routesOf(
      { path: "/a", methods: ["GET"] },
      { path: "/a", methods: ["PURGE", "POST"] },
      { path: "/:x", methods: ["DELETE"] },
      { path: "/all/*" },
    ),
  );

  it("are those of every route that takes the path, each once, in one order", () => {
    expect(matcher.methods(["a"])).toEqual(["GET", "HEAD", "POST", "DELETE", "PURGE"]);
    expect(matcher.methods(["b"])).toEqual(["DELETE"]);
  });
  it("are the usual ones, and those that other routes name, where a route takes all", () => {
    expect(matcher.methods(["all", "x"])).toEqual([
      ...["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"],
    ]);
  });
  it("are none where no route takes the path", () => {
    expect(matcher.methods(["a", "b"])).toEqual([]);
    expect(matcher.methods([])).toEqual([]);
  });
});
