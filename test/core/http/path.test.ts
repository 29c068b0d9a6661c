import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalPath, urlParts } from "../../../src/core/http/path.ts";

describe("the canonical path", () => {
  it.each([
    // as it came
    ["/", "/", []],
    ["/a", "/a", ["a"]],
    ["/a/", "/a/", ["a"]],
    ["/a/b", "/a/b", ["a", "b"]],
    ["/a/b/", "/a/b/", ["a", "b"]],
    ["/A/a", "/A/a", ["A", "a"]],
    ["/-._~!$&'()*+,=:@", "/-._~!$&'()*+,=:@", ["-._~!$&'()*+,=:@"]],
    ['/|^[]"<>`{}', '/|^[]"<>`{}', ['|^[]"<>`{}']],
    ["/...", "/...", ["..."]],
    ["/.a/a./..a/a..", "/.a/a./..a/a..", [".a", "a.", "..a", "a.."]],
    // unreserved characters are decoded
    ["/%61dmin", "/admin", ["admin"]],
    ["/a%2Eb", "/a.b", ["a.b"]],
    ["/a%2eb", "/a.b", ["a.b"]],
    ["/%41%5A%61%7A%30%39%2D%2E%5F%7E", "/AZaz09-._~", ["AZaz09-._~"]],
    ["/%7e%5f%2d", "/~_-", ["~_-"]],
    // all others stay, and are compared decoded
    ["/a%3Ab", "/a%3Ab", ["a:b"]],
    ["/a%3ab", "/a%3ab", ["a:b"]],
    ["/a%20b", "/a%20b", ["a b"]],
    ["/%21%22%24%26%27%28%29%2A%2B%2C", "/%21%22%24%26%27%28%29%2A%2B%2C", ["!\"$&'()*+,"]],
    ["/%3C%3D%3E%40%5B%5D%5E%60%7B%7C%7D", "/%3C%3D%3E%40%5B%5D%5E%60%7B%7C%7D", ["<=>@[]^`{|}"]],
    ["/%C3%A9", "/%C3%A9", ["é"]],
    ["/%c3%a9/", "/%c3%a9/", ["é"]],
    ["/%F0%9F%98%80", "/%F0%9F%98%80", ["😀"]],
    ["/%C2%A0", "/%C2%A0", ["\u00a0"]],
    ["/%EF%BF%BF", "/%EF%BF%BF", ["\uffff"]],
    ["/%61%C3%A9%3A", "/a%C3%A9%3A", ["aé:"]],
    // no character is decoded twice: %25 is refused, and what decoding makes is not read again
    ["/%61%3A%2E", "/a%3A.", ["a:."]],
  ])("of %j is %j", (rawPath, path, segments) => {
    expect(canonicalPath(rawPath)).toEqual({ path, segments });
  });

  it.each([
    ["nothing", ""],
    ["no slash in front", "a"],
    ["an asterisk for a target", "*"],
    ["an authority", "https://api.example/"],
    ["an empty segment in front", "//"],
    ["an empty segment before a name", "//a"],
    ["an empty segment inside", "/a//b"],
    ["an empty segment at the end", "/a//"],
    ["a backslash", "/a\\b"],
    ["a backslash in front", "\\a"],
    ["a semicolon", "/a;b"],
    ["a blank", "/a b"],
    ["a question mark", "/a?b"],
    ["a number sign", "/a#b"],
    ["a tab", "/a\tb"],
    ["NUL", "/\u0000"],
    ["US", "/\u001f"],
    ["DEL", "/\u007f"],
    ["a line feed at the end", "/a\n"],
    ["a character outside ASCII", "/é"],
    ["a dot segment", "/."],
    ["a dot segment with a slash", "/./a"],
    ["a dot segment at the end", "/a/."],
    ["a double dot", "/.."],
    ["a double dot inside", "/a/../b"],
    ["a double dot at the end", "/a/.."],
    ["an encoded dot segment", "/%2e/a"],
    ["an encoded double dot", "/a/%2e%2E/b"],
    ["a half encoded double dot", "/a/.%2e"],
    ["the other half", "/a/%2e."],
    ["an encoded slash", "/a%2Fb"],
    ["an encoded slash in lower case", "/a%2fb"],
    ["an encoded backslash", "/a%5Cb"],
    ["an encoded question mark", "/a%3Fb"],
    ["an encoded number sign", "/a%23b"],
    ["an encoded percent", "/a%25b"],
    ["a twice encoded letter", "/%2561"],
    ["an encoded semicolon", "/a%3Bb"],
    ["an encoded NUL", "/a%00"],
    ["an encoded US", "/a%1F"],
    ["an encoded line feed", "/a%0Ab"],
    ["an encoded DEL", "/a%7F"],
    ["an encoded C1 control, the first", "/a%C2%80"],
    ["an encoded C1 control, the last", "/a%C2%9F"],
    ["a percent alone", "/a%"],
    ["one digit", "/a%2"],
    ["a digit that is none", "/a%2g"],
    ["a bad escape beside a good one", "/%61/%zz"],
    ["digits that decoding would bring behind a percent", "/%%36%31"],
    ["one digit that decoding would bring", "/%6%31"],
    ["a bad second digit", "/%6g"],
    ["a lone continuation byte", "/%80"],
    ["a cut sequence", "/%C3"],
    ["an overlong slash", "/%C0%AF"],
    ["an overlong dot", "/%C0%AE"],
    ["a byte that UTF-8 does not have", "/%FF"],
    ["a surrogate", "/%ED%A0%80"],
    ["a code point beyond the last", "/%F4%90%80%80"],
    ["a fault in the last of many segments", "/a/b/c/%2f"],
    ["a fault in the first of many segments", "/%5C/b/c"],
  ])("is refused with %s", (_name, rawPath) => {
    expect(canonicalPath(rawPath)).toBeUndefined();
  });

  it("stays as it is when it is made canonical again", () => {
    const piece = fc.constantFrom("a", "/", ".", "%61", "%2E", "%3A", "%20", "%C3%A9", "%2e", "-", "%7E");
    const rawPath = fc.array(piece, { maxLength: 8 }).map((pieces) => `/${pieces.join("")}`);
    fc.assert(
      fc.property(rawPath, (text) => {
        const once = canonicalPath(text);
        if (once !== undefined) expect(canonicalPath(once.path)).toEqual(once);
      }),
      { numRuns: 500 },
    );
  });

  it("has segments that spell out its path, decoded", () => {
    const segment = fc
      .string({ minLength: 1, maxLength: 5, unit: "grapheme" })
      .filter((text) => !/[/\\?#%;\p{Cc}]/u.test(text) && text !== "." && text !== "..");
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1, maxLength: 4 }), fc.boolean(), (segments, slash) => {
        const rawPath = `/${segments.map(encodeURIComponent).join("/")}${slash ? "/" : ""}`;
        expect(canonicalPath(rawPath)?.segments).toEqual(segments);
      }),
      { numRuns: 300 },
    );
  });
});

describe("the parts of a URL", () => {
  it.each([
    ["https://api.example/", "https://api.example", "/", ""],
    ["https://api.example", "https://api.example", "/", ""],
    ["https://api.example/a/b", "https://api.example", "/a/b", ""],
    ["http://localhost:8787/a/?x=1&y=%zz", "http://localhost:8787", "/a/", "?x=1&y=%zz"],
    ["https://api.example/?", "https://api.example", "/", "?"],
    ["https://api.example/a?b/c?d", "https://api.example", "/a", "?b/c?d"],
    ["https://api.example/a?x=//y", "https://api.example", "/a", "?x=//y"],
    ["https://api.example//a", "https://api.example", "//a", ""],
    ["https://api.example/a#b", "https://api.example", "/a", ""],
    ["https://api.example/a?b#c?d", "https://api.example", "/a", "?b"],
    ["https://api.example#x/y", "https://api.example", "/", ""],
    ["https://[::1]:8787/a", "https://[::1]:8787", "/a", ""],
  ])("of %j", (url, origin, rawPath, search) => {
    expect(urlParts(url)).toEqual({ origin, rawPath, search });
  });
});
