import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalPath, urlParts } from "../../src/core/http/path.ts";
import { createMatcher } from "../../src/core/policy/matcher.ts";
import { parsePolicy } from "../../src/core/policy/reading.ts";
import { originViews, PATH_PIECES } from "./origin-views.ts";

const path = fc
  .array(
    fc.oneof(
      { arbitrary: fc.constantFrom(...PATH_PIECES), weight: 9 },
      { arbitrary: fc.string({ maxLength: 3 }), weight: 1 },
    ),
    {
      maxLength: 10,
    },
  )
  .map((pieces) => `/${pieces.join("")}`);

/** The path as the Worker is shown it: parsed once, by whoever was before it, or not at all. */
const shown = fc.tuple(path, fc.boolean()).map(([text, isParsed]) => {
  const parts = urlParts(isParsed ? new URL(`http://gateway${text}`).href : `http://gateway${text}`);
  return parts.rawPath;
});

const segment = fc.oneof(
  fc.constantFrom("pub", "admin", "t", "acme", "globex", "x", "Admin", "a:b", "..."),
  fc.constantFrom(":a", ":b"),
);
const route = fc.record({
  segments: fc.uniqueArray(segment, {
    maxLength: 4,
    selector: (text) => (text.startsWith(":") ? text : Symbol()),
  }),
  open: fc.boolean(),
  methods: fc.option(fc.constantFrom(["GET"], ["POST"], ["GET", "POST"]), { nil: undefined }),
});
const policy = fc.array(route, { minLength: 1, maxLength: 7 }).map((routes) => {
  const table = routes.map(({ segments, open, methods }) => ({
    path: `/${[...segments, ...(open ? ["*"] : [])].join("/")}`,
    ...(methods && { methods }),
  }));
  const parsed = parsePolicy({ routes: table });
  if (!parsed.ok) throw new Error(parsed.faults.join("\n"));
  return parsed.value.routes;
});

const RUNS = { numRuns: 5_000 };

describe("canonicalPath", () => {
  it("leaves nothing for a URL parser to change: what is matched is what is forwarded", () => {
    fc.assert(
      fc.property(shown, (raw) => {
        const canonical = canonicalPath(raw);
        if (canonical === undefined) return;
        const { pathname } = new URL(`https://origin.example/stage${canonical.path}`);
        // a runtime that has not parsed the URL may show characters raw that every client has to encode
        if (/["<>^`{}]/.test(raw))
          expect(decodeURIComponent(pathname)).toBe(`/stage${decodeURIComponent(canonical.path)}`);
        else expect(pathname).toBe(`/stage${canonical.path}`);
      }),
      RUNS,
    );
  });

  it("is its own canonical form", () => {
    fc.assert(
      fc.property(shown, (raw) => {
        const canonical = canonicalPath(raw);
        if (canonical !== undefined) expect(canonicalPath(canonical.path)).toEqual(canonical);
      }),
      RUNS,
    );
  });

  it("keeps every escape that it did not decode well-formed, and no unreserved character encoded", () => {
    fc.assert(
      fc.property(shown, (raw) => {
        const text = canonicalPath(raw)?.path ?? "";
        expect(text.replace(/%[0-9A-Fa-f]{2}/g, "")).not.toContain("%");
        for (const [triplet] of text.matchAll(/%[0-9A-Fa-f]{2}/g))
          expect(String.fromCharCode(Number.parseInt(triplet.slice(1), 16))).not.toMatch(/[\w\-.~]/);
      }),
      RUNS,
    );
  });

  it("lets no segment through that is empty, a dot segment or holds a delimiter", () => {
    fc.assert(
      fc.property(shown, (raw) => {
        for (const text of canonicalPath(raw)?.segments ?? []) {
          expect([".", "..", ""]).not.toContain(text);
          // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
          expect(text).not.toMatch(/[/\\?#%;\u0000-\u001f\u007f-\u009f]/);
        }
      }),
      RUNS,
    );
  });

  it("refuses every path with a bad percent-encoding", () => {
    fc.assert(
      fc.property(shown, (raw) => {
        if (/%(?![0-9A-Fa-f]{2})/.test(raw)) expect(canonicalPath(raw)).toBeUndefined();
      }),
      RUNS,
    );
  });

  it("takes no longer for a hostile path of 16 KB than a request may", () => {
    const long = [
      "/".repeat(16_000),
      "/a".repeat(8_000),
      `/${"a".repeat(16_000)}`,
      `/${"a".repeat(8_000)};`,
      `${"/a".repeat(8_000)}\\`,
      "/%2e".repeat(4_000),
      "/%%32%65".repeat(2_000),
      `/${"%C3%A9".repeat(2_600)}`,
      `/${"%".repeat(16_000)}`,
    ];
    const startedAt = performance.now();
    for (const text of long) canonicalPath(text);
    expect(performance.now() - startedAt).toBeLessThan(500);
  });
});

describe("canonicalPath and the matcher", () => {
  it("decide alike for everything that an origin could take the path for", () => {
    fc.assert(
      fc.property(shown, policy, fc.constantFrom("GET", "POST"), (raw, routes, method) => {
        const canonical = canonicalPath(raw);
        if (canonical === undefined) return;
        const matcher = createMatcher(routes);
        const decided = matcher.match(canonical.segments, method);
        for (const view of originViews(canonical.path)) expect(matcher.match(view, method)).toBe(decided);
      }),
      RUNS,
    );
  });

  it("decide as if the routes were tried one by one", () => {
    const segments = fc.array(fc.constantFrom("pub", "admin", "t", "acme", "x", "a:b", ":a", "*", "other"), {
      maxLength: 6,
    });
    fc.assert(
      fc.property(
        segments,
        policy,
        fc.constantFrom("GET", "POST", "HEAD", "DELETE"),
        (given, routes, method) => {
          const expected = routes.find(({ pattern, methods }) => {
            if (methods !== undefined && !methods.has(method)) return false;
            if (
              pattern.open ? given.length < pattern.segments.length : given.length !== pattern.segments.length
            )
              return false;
            return pattern.segments.every((own, index) => own.kind === "param" || own.text === given[index]);
          });
          expect(createMatcher(routes).match(given, method)).toBe(expected);
        },
      ),
      RUNS,
    );
  });

  it("find nothing by the names of what every object has", () => {
    const parsed = parsePolicy({ routes: [{ path: "/a/:b" }, { path: "/constructor/x" }] });
    if (!parsed.ok) throw new Error("policy");
    const matcher = createMatcher(parsed.value.routes);
    for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty"])
      expect(matcher.match([name], "GET")).toBeUndefined();
    expect(matcher.match(["a", "__proto__"], "GET")?.pattern.text).toBe("/a/:b");
  });
});
