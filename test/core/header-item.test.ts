import { describe, expect, it } from "vitest";
import { encodeItem, isPlainItem } from "../../src/core/header-item.ts";

describe("an item", () => {
  it.each([
    ["", ""],
    ["abc", "abc"],
    ["!\"#$&'()*+-./09:;<=>?@AZ[\\]^_`az{|}~", "!\"#$&'()*+-./09:;<=>?@AZ[\\]^_`az{|}~"],
    ["%", "%25"],
    [",", "%2C"],
    ["a,b,c", "a%2Cb%2Cc"],
    [" ", "%20"],
    ["\t", "%09"],
    ["\u0000\u001f", "%00%1F"],
    ["\u007f", "%7F"],
    ["é", "%C3%A9"],
    ["€", "%E2%82%AC"],
    ["😀!", "%F0%9F%98%80!"],
    ["\ud800", "%EF%BF%BD"],
    ["%41", "%2541"],
  ])("%j is sent as %j", (text, encoded) => {
    expect(encodeItem(text)).toBe(encoded);
    expect(isPlainItem(text)).toBe(text === encoded);
  });

  it("reads back as it was", () => {
    for (const text of ["a,b %25 ü 😀", "%2C", "\n"]) expect(decodeURIComponent(encodeItem(text))).toBe(text);
  });
});
