import { describe, expect, it } from "vitest";
import { encodeItem, isPlain } from "../../src/core/header-item.ts";

const TOLD = {
  sub: "sub-1",
  clientId: "app",
  username: "ada",
  tenantClaim: "acme",
  roleClaim: "admin",
  scopes: ["zen/x", "zen/y"],
  groups: ["staff", "sales"],
};

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
    expect(isPlain({ ...TOLD, sub: text }), "plain").toBe(text === encoded);
  });

  it("reads back as it was", () => {
    for (const text of ["a,b %25 ü 😀", "%2C", "\n"]) expect(decodeURIComponent(encodeItem(text))).toBe(text);
  });
});

describe("a caller", () => {
  it("is plain unless a claim that the origin is told of has to be encoded", () => {
    expect(isPlain(TOLD)).toBe(true);
    expect(isPlain({ ...TOLD, clientId: undefined, username: undefined, scopes: [], groups: [] })).toBe(true);
    for (const claims of [
      { sub: "a b" },
      { clientId: "a,b" },
      { username: "Zoë" },
      { tenantClaim: "a%b" },
      { roleClaim: "a b" },
      { scopes: ["zen/x", "zen/ü"] },
      { groups: ["staff", "on call"] },
    ])
      expect(isPlain({ ...TOLD, ...claims }), JSON.stringify(claims)).toBe(false);
  });
});
