import { afterEach, describe, expect, it, vi } from "vitest";
import { isRefusal } from "../../../src/core/errors.ts";
import { bearerToken, decodeToken, isForeign, MAX_TOKEN_CHARS } from "../../../src/core/token/bearer.ts";
import { segment } from "../../support/forge.ts";

afterEach(() => vi.restoreAllMocks());

describe("bearerToken", () => {
  for (const [authorization, token] of [
    ["Bearer a.b.c", "a.b.c"],
    ["bearer a.b.c", "a.b.c"],
    ["BEARER a.b.c", "a.b.c"],
    ["bEaReR   a.b.c", "a.b.c"],
    ["a.b.c", "a.b.c"],
    ["Bearer", "Bearer"],
    ["Bearera.b.c", "Bearera.b.c"],
    ["Bearer\ta.b.c", "Bearer\ta.b.c"],
    ["Basic a.b.c", "Basic a.b.c"],
    [" Bearer a.b.c", " Bearer a.b.c"],
    ["Bearer Bearer a.b.c", "Bearer a.b.c"],
    ["x Bearer a.b.c", "x Bearer a.b.c"],
  ] as const)
    it(`reads ${JSON.stringify(authorization)} as ${JSON.stringify(token)}`, () => {
      expect(bearerToken(authorization)).toBe(token);
    });

  it("misses a token where there is no header, or an empty one", () => {
    expect(bearerToken(null)).toEqual({ code: "missing_token" });
    expect(bearerToken("")).toEqual({ code: "missing_token" });
  });
});

const HEADER = segment({ alg: "RS256", kid: "k" });
const CLAIMS = segment({ sub: "s" });

describe("decodeToken", () => {
  it("takes a token apart: header, claims, signature and what it is over", () => {
    expect(decodeToken(`${HEADER}.${CLAIMS}.AQID`)).toEqual({
      unverifiedHeader: { alg: "RS256", kid: "k" },
      unverifiedClaims: { sub: "s" },
      signingInput: `${HEADER}.${CLAIMS}`,
      signature: "AQID",
    });
  });

  /** A token of so many characters whose every segment is sound. */
  function tokenOf(characters: number): string {
    const room = characters - HEADER.length - CLAIMS.length - 2;
    return `${HEADER}.${CLAIMS}.${"A".repeat(room)}`;
  }

  it("reads at most 8,192 characters", () => {
    expect(MAX_TOKEN_CHARS).toBe(8_192);
    for (const padding of ["", "x", "xx", "xxx"]) {
      // whichever claims make the segment lengths possible on both sides of the limit
      const claims = segment({ sub: padding });
      const at = (characters: number): string => {
        const rest = characters - HEADER.length - claims.length - 2;
        return `${HEADER}.${claims}.${"A".repeat(rest)}`;
      };
      if ((8_193 - HEADER.length - claims.length - 2) % 4 === 1) continue; // no segment has this length
      if ((8_192 - HEADER.length - claims.length - 2) % 4 === 1) continue;
      expect(isRefusal(decodeToken(at(8_192)))).toBe(false);
      expect(decodeToken(at(8_193))).toEqual({ code: "malformed_token" });
    }
    expect(decodeToken(tokenOf(8_193))).toEqual({ code: "malformed_token" });
  });

  for (const [name, token] of [
    ["nothing", ""],
    ["two dots", ".."],
    ["one segment", HEADER],
    ["two segments", `${HEADER}.${CLAIMS}`],
    ["four segments", `${HEADER}.${CLAIMS}.AQID.AQID`],
    ["an empty header", `.${CLAIMS}.AQID`],
    ["an empty payload", `${HEADER}..AQID`],
    ["an empty signature", `${HEADER}.${CLAIMS}.`],
    ["padding", `${HEADER}.${CLAIMS}.AQ==`],
    ["a blank in the signature", `${HEADER}.${CLAIMS}.AQI `],
    ["a blank in the payload", `${HEADER}.${CLAIMS} .AQID`],
    ["a character of no alphabet in the signature", `${HEADER}.${CLAIMS}.AQ!D`],
    ["a character of no alphabet in the header", `${HEADER.slice(0, -1)}!.${CLAIMS}.AQID`],
    ["a character of no alphabet in the payload", `${HEADER}.${CLAIMS.slice(0, -1)}!.AQID`],
    ["a blank before", ` ${HEADER}.${CLAIMS}.AQID`],
    ["a line feed after", `${HEADER}.${CLAIMS}.AQID\n`],
    ["base64's own characters", `${HEADER}.${CLAIMS}.+/+/`],
    ["a signature of an impossible length", `${HEADER}.${CLAIMS}.AQIDA`],
    ["stray bits in the signature", `${HEADER}.${CLAIMS}.AR`],
    ["a header that is no JSON", `${segment("{")}.${CLAIMS}.AQID`],
    ["a header of stray bits", `eR.${CLAIMS}.AQID`],
    ["a header that is an array", `${segment("[]")}.${CLAIMS}.AQID`],
    ["a header that is null", `${segment("null")}.${CLAIMS}.AQID`],
    ["a payload that is no JSON", `${HEADER}.${segment("sub")}.AQID`],
    ["a payload that is an array", `${HEADER}.${segment("[]")}.AQID`],
    ["a payload that is null", `${HEADER}.${segment("null")}.AQID`],
    ["a payload that is text", `${HEADER}.${segment('"s"')}.AQID`],
    ["a payload that is a number", `${HEADER}.${segment("1")}.AQID`],
    ["a payload that is not UTF-8", `${HEADER}.${segment(new Uint8Array([0x22, 0xff, 0x22]))}.AQID`],
    [
      "bytes in an object that are not UTF-8",
      `${HEADER}.${segment(new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]))}.AQID`,
    ],
    ["a byte order mark", `${HEADER}.${segment("\ufeff{}")}.AQID`],
  ] as const)
    it(`refuses ${name}`, () => {
      expect(decodeToken(token)).toEqual({ code: "malformed_token" });
    });
});

describe("the alphabet of a token", () => {
  const SOUND = [HEADER, CLAIMS, "AQID"].join(".");

  it("has no other character in any place, whichever it is", () => {
    const others = Array.from({ length: 0x250 }, (_, code) => String.fromCharCode(code));
    for (const other of [...others, "\u2028", "\ud800", "\uff21", "\u{1f600}"]) {
      if (/^[\w.-]$/.test(other)) continue;
      for (let at = 0; at <= SOUND.length; at += 1) {
        const token = SOUND.slice(0, at) + other + SOUND.slice(at + (at % 2)); // in between, or in the place of one
        expect(decodeToken(token), JSON.stringify(token)).toEqual({ code: "malformed_token" });
      }
    }
  });

  it("is looked at before anything is decoded, for all that HTTP carries in ASCII", () => {
    const visible = Array.from({ length: 0x5f }, (_, index) => String.fromCharCode(0x20 + index));
    const foreign = ["\t", ...visible].filter((character) => isForeign(`aa.aa.${character}a`));
    expect(foreign.join("")).toBe("\t !\"#$%&'()*+,/:;<=>?@[\\]^`{|}~");
    expect(isForeign(SOUND)).toBe(false);

    const parse = vi.spyOn(JSON, "parse");
    expect(decodeToken(`${HEADER}.${segment({ sub: "never seen" })}.AQI!`)).toEqual({
      code: "malformed_token",
    });
    expect(parse).not.toHaveBeenCalled();
    expect(isRefusal(decodeToken(`${HEADER}.${segment({ sub: "never seen" })}.AQID`))).toBe(false);
    expect(parse).toHaveBeenCalled();
  });
});

describe("a header that has been decoded before", () => {
  const headerOf = (kid: string): unknown => {
    const decoded = decodeToken(`${segment({ alg: "RS256", kid })}.${CLAIMS}.AQID`);
    return isRefusal(decoded) ? decoded.code : decoded.unverifiedHeader;
  };

  it("is the same frozen object, and 16 others push it out", () => {
    const first = headerOf("first");
    expect(first).toEqual({ alg: "RS256", kid: "first" });
    expect(Object.isFrozen(first)).toBe(true);
    let kept = 0;
    for (let index = 0; index < 16; index += 1) {
      const header = headerOf(`new-${index}`);
      headerOf(`other-${index}`);
      if (headerOf(`new-${index}`) === header) kept += 1;
    }
    expect(kept).toBeGreaterThanOrEqual(13); // all but those that were the last before the room was full
    expect(headerOf("first")).not.toBe(first);
    expect(headerOf("first")).toEqual(first);
  });
});
