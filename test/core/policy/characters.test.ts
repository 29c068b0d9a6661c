import { describe, expect, it } from "vitest";
import { consistsOf } from "../../../src/core/policy/characters.ts";

describe("consistsOf", () => {
  it.each([
    ["", "ab", true],
    ["abba", "ab", true],
    ["abc", "ab", false],
    ["cab", "ab", false],
    ["a.b", "a.b", true],
    ["\u{1f600}", "\u{1f600}", true],
    ["\ud83d", "ab", false],
    ["a", "", false],
  ])("tells whether %j is made of %j: %s", (text, allowed, expected) => {
    expect(consistsOf(text, allowed)).toBe(expected);
  });
});
