import { describe, expect, it } from "vitest";
import { type Pattern, parsePattern } from "../../../src/core/policy/pattern.ts";

const literal = (text: string) => ({ kind: "literal", text }) as const;
const param = (name: string) => ({ kind: "param", name }) as const;

const patternOf = (text: string): Omit<Pattern, "text"> => {
  const parsed = parsePattern(text);
  if (!parsed.ok) throw new Error(parsed.faults.join("\n"));
  expect(parsed.value.text).toBe(text);
  return { segments: parsed.value.segments, open: parsed.value.open };
};
const faultsOf = (text: string): readonly string[] => {
  const parsed = parsePattern(text);
  return parsed.ok ? [] : parsed.faults;
};

const EMPTY = "must have no empty segment, and no final slash: one never changes the decision";
const DOT = "must have no dot segment";
const PARAMETER = "must name a parameter with letters, digits, - and _";
const STAR = "must have * only as its last segment";
const DECODED = "must be written decoded, without \\ ? # % ; * and blanks";
const START = "must start with /";

describe("the form of a pattern", () => {
  it.each([
    ["/", [], false],
    ["/*", [], true],
    ["/v1", [literal("v1")], false],
    ["/v1/*", [literal("v1")], true],
    ["/v1/tenants/:tenantId/*", [literal("v1"), literal("tenants"), param("tenantId")], true],
    ["/:a/:b", [param("a"), param("b")], false],
    ["/:_/:A-1_b", [param("_"), param("A-1_b")], false],
    ["/:a/:A", [param("a"), param("A")], false],
    ["/a:b/...", [literal("a:b"), literal("...")], false],
    ["/.well-known/x", [literal(".well-known"), literal("x")], false],
    ["/é/ü", [literal("é"), literal("ü")], false],
    ["/\ud800", [literal("\ud800")], false],
    ["/a+b,c=d&e@f(g)!$'\"<>[]^`{|}~", [literal("a+b,c=d&e@f(g)!$'\"<>[]^`{|}~")], false],
  ] as const)("takes %j", (text, segments, open) => {
    expect(patternOf(text)).toEqual({ segments, open });
  });

  it.each([
    ["", [START]],
    ["v1", [START]],
    ["*", [START]],
    [":a", [START]],
    ["https://api.example/v1", [START]],
    ["//", [EMPTY]],
    ["//a", [EMPTY]],
    ["/a//b", [EMPTY]],
    ["/a/", [EMPTY]],
    ["//*", [EMPTY]],
    ["/a//*", [EMPTY]],
    ["/.", [DOT]],
    ["/..", [DOT]],
    ["/a/../b", [DOT]],
    ["/./*", [DOT]],
    ["/:", [PARAMETER]],
    ["/:1a", [PARAMETER]],
    ["/:-a", [PARAMETER]],
    ["/:a.b", [PARAMETER]],
    ["/:a*", [PARAMETER]],
    ["/:é", [PARAMETER]],
    ["/:a:b", [PARAMETER]],
    ["/*/a", [STAR]],
    ["/a*", [STAR]],
    ["/**", [STAR]],
    ["/*/*", [STAR]],
    ["/a*b/*", [STAR]],
    ["/a\\b", [DECODED]],
    ["/a?b", [DECODED]],
    ["/a#b", [DECODED]],
    ["/a%20b", [DECODED]],
    ["/%61", [DECODED]],
    ["/a;b", [DECODED]],
    ["/a b", [DECODED]],
    ["/a\tb", [DECODED]],
    ["/a\u0000", [DECODED]],
    ["/a\u001f", [DECODED]],
    ["/a\u007f", [DECODED]],
    ["/a\u0080", [DECODED]],
    ["/a\u009f", [DECODED]],
    ["/a\u00a0", [DECODED]],
    ["/:a/:a", ["has the parameter a twice"]],
    ["/:a/b/:a/*", ["has the parameter a twice"]],
    ["/:1/:1", [PARAMETER, "has the parameter 1 twice"]],
  ] as const)("refuses %j", (text, faults) => {
    expect(faultsOf(text)).toEqual(faults);
  });

  it("takes the neighbours of what it refuses", () => {
    for (const text of ["/a!b", "/a~b", "/a\u00a1b", "/a_b", "/a-b"])
      expect(faultsOf(text), text).toEqual([]);
  });

  it("names every fault once, all of them at a time", () => {
    expect(faultsOf("/a//./:1/x*/y;z/;/:b/:b/:b")).toEqual([
      EMPTY,
      DOT,
      PARAMETER,
      STAR,
      DECODED,
      "has the parameter b twice",
    ]);
  });
});
