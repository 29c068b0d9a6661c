import fc from "fast-check";
import { base64url } from "jose";
import { describe, expect, it } from "vitest";
import { decodeBase64url } from "../../../src/core/token/base64url.ts";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

describe("base64url", () => {
  it("decodes the examples of RFC 4648 section 10 and the two characters of its own", () => {
    for (const [text, bytes] of [
      ["", []],
      ["Zg", [0x66]],
      ["Zm8", [0x66, 0x6f]],
      ["Zm9v", [0x66, 0x6f, 0x6f]],
      ["Zm9vYg", [0x66, 0x6f, 0x6f, 0x62]],
      ["Zm9vYmE", [0x66, 0x6f, 0x6f, 0x62, 0x61]],
      ["Zm9vYmFy", [0x66, 0x6f, 0x6f, 0x62, 0x61, 0x72]],
      ["-_-_", [0xfb, 0xff, 0xbf]],
    ] as const)
      expect(decodeBase64url(text)).toEqual(new Uint8Array(bytes));
  });

  it("decodes into a buffer that is there, and leaves what lies behind", () => {
    const buffer = new Uint8Array(8).fill(7);
    const bytes = decodeBase64url("Zm9vYg", buffer);
    expect(bytes).toEqual(new Uint8Array([0x66, 0x6f, 0x6f, 0x62]));
    expect(bytes?.buffer).toBe(buffer.buffer);
    expect([...buffer.subarray(4)]).toEqual([7, 7, 7, 7]);
    expect(decodeBase64url("A", buffer)).toBeUndefined();
  });

  it("fills a buffer to the last byte, and throws where there is one too many", () => {
    for (const [text, bytes] of [
      ["Zg", 1],
      ["Zm8", 2],
      ["Zm9v", 3],
      ["Zm9vYg", 4],
    ] as const) {
      expect(decodeBase64url(text, new Uint8Array(bytes))).toHaveLength(bytes);
      expect(() => decodeBase64url(text, new Uint8Array(bytes - 1))).toThrow(RangeError);
    }
  });

  it("refuses a length that no bytes have", () => {
    for (const text of ["A", "AAAAA", "AAAAAAAAA"]) expect(decodeBase64url(text)).toBeUndefined();
  });

  it("takes exactly one spelling of every last byte", () => {
    const spelled = [...ALPHABET].flatMap((first) => [...ALPHABET].map((last) => first + last));
    const taken = spelled.filter((text) => decodeBase64url(text) !== undefined);
    expect(taken).toHaveLength(256);
    for (const text of taken) expect(base64url.encode(decodeBase64url(text) ?? "")).toBe(text);
    expect(new Set(taken.map((text) => text.charAt(1)))).toEqual(new Set("AQgw"));
  });

  it("takes exactly one spelling of every last two bytes", () => {
    const taken = [...ALPHABET].filter((last) => decodeBase64url(`AA${last}`) !== undefined);
    expect(taken).toEqual([..."AEIMQUYcgkosw048"]);
    for (const last of taken) expect(base64url.encode(decodeBase64url(`-_${last}`) ?? "")).toBe(`-_${last}`);
  });

  it("takes every last character of a full group", () => {
    for (const last of ALPHABET) expect(decodeBase64url(`AAA${last}`)).toHaveLength(3);
  });

  it("refuses a character of no, or of another, base64 anywhere in a text of any length", () => {
    const others = [..." \t\n\f\r\u00a0+/=.!*~\0", "\u0141", "\u2028", "\ud800"];
    for (const other of others)
      for (const length of [0, 1, 2, 3, 4, 5, 6, 7, 30])
        for (let at = 0; at <= length; at += 1)
          for (const count of [1, 2, 3, 4]) {
            const text = "A".repeat(at) + other.repeat(count) + "A".repeat(length - at);
            expect(decodeBase64url(text), JSON.stringify(text)).toBeUndefined();
          }
  });

  it("takes what encoding spells, and nothing else", () => {
    const character = fc.constantFrom(...ALPHABET, ..." =+/.\n");
    fc.assert(
      fc.property(fc.string({ unit: character, maxLength: 24 }), (text) => {
        const bytes = decodeBase64url(text);
        const isSpelled = Buffer.from(text, "base64url").toString("base64url") === text;
        expect(bytes !== undefined).toBe(isSpelled);
        if (bytes !== undefined) expect(base64url.encode(bytes)).toBe(text);
      }),
      { numRuns: 2_000 },
    );
  });
});
