import { describe, expect, it } from "vitest";
import { preflightAnswer } from "../../src/core/http/cors.ts";
import { rewriteLocation } from "../../src/core/http/location.ts";
import { canonicalPath } from "../../src/core/http/path.ts";
import { upstreamHeaders } from "../../src/core/http/upstream-headers.ts";
import { isTenant } from "../../src/core/principal.ts";
import { allowsTenant, parseAllowList } from "../../src/core/tenant/allow-list.ts";
import { bearerToken, decodeToken, MAX_TOKEN_CHARS } from "../../src/core/token/bearer.ts";
import { parseJwks } from "../../src/core/token/key-set.ts";

/** Bytes of header lines that Cloudflare takes; of a URL it takes 16 KiB. */
const HEADERS = 128 * 1024;
const URL_BYTES = 16 * 1024;
/**
 * Milliseconds that any of these may take on a busy machine. Each takes fewer than 20 on an idle one; what grows
 * with the square of the length would take minutes.
 */
const LIMIT_MS = 5_000;

function expectQuick(act: () => unknown): void {
  const startedAt = performance.now();
  act();
  expect(performance.now() - startedAt).toBeLessThan(LIMIT_MS);
}

const fill = (text: string, length: number): string => text.repeat(Math.ceil(length / text.length));
const facts = {
  requestId: "request-0001",
  clientIp: undefined,
  scheme: "https",
  host: "api.example",
  originSecret: undefined,
  forwardAuthorization: true,
  keepTenantHeader: false,
};

describe("the cost grows with the length, not with its square", () => {
  it.each([
    "a",
    "/a",
    "/.a",
    "/..a",
    "/%41",
    "%41",
    "/%C3%A9",
    "/%2",
    "%%32",
    ".",
    "%",
    "/",
    ";",
    "/a;",
    "\\",
    "~/",
  ])("of a path of %j again and again, whatever stands at its end", (text) => {
    for (const end of ["", "/", ";", "%", "%zz", "//", "/..", "\u0000", "%ff"])
      expectQuick(() => canonicalPath(`/${fill(text, URL_BYTES)}${end}`));
  });

  it.each(["bearer ", "bearer", " ", "a", ".", "a.", "a.a.a.", "-", "=", "\t"])(
    "of an Authorization of %j again and again",
    (text) => {
      for (const start of ["", "bearer ", "Bearer a.b."])
        for (const characters of [HEADERS, MAX_TOKEN_CHARS - start.length - 1])
          for (const end of ["", "!"])
            expectQuick(() => {
              const token = bearerToken(start + fill(text, characters).slice(0, characters) + end);
              if (typeof token === "string") decodeToken(token);
            });
    },
  );

  it.each([",", ", ", "a,", "x-abc, ", "a", "a ", "\t,"])(
    "of a list of header names of %j again and again",
    (text) => {
      const names = fill(text, HEADERS);
      expectQuick(() =>
        preflightAnswer("https://x", ["GET"], new Headers({ "access-control-request-headers": names })),
      );
      expectQuick(() => upstreamHeaders(new Headers({ connection: names, "x-a": "1" }), undefined, facts));
    },
  );

  it("of 12,000 header lines, all of them named by Connection", () => {
    const headers = new Headers(Array.from({ length: 12_000 }, (_, index) => [`h${index}`, "v"]));
    headers.set("connection", [...headers.keys()].join(","));
    expectQuick(() => expect(upstreamHeaders(headers, undefined, facts).remove).toContain("h1"));
  });

  it.each(["/", "a", "a+", "//", "/prod/", "\t", "/\t", "\\", "?", "#", "a:"])(
    "of a Location of %j again and again",
    (text) => {
      const origin = { baseUrl: "https://origin.example/prod", basePath: "/prod" };
      for (const start of ["", "/prod", "/prod/", "https://origin.example/prod/"])
        expectQuick(() => rewriteLocation(start + fill(text, HEADERS), origin, "https://api.example"));
    },
  );

  it("of a tenant of 128 KB", () => {
    expectQuick(() => expect(isTenant(fill("a", HEADERS))).toBe(false));
  });
});

describe("documents as large as their stores take them", () => {
  it("an allow-list of 25 MB is parsed once, and looked up like any other", () => {
    const tenants = Array.from({ length: 1_200_000 }, (_, index) => `tenant-${index}-abcd`);
    const text = JSON.stringify({ tenants });
    expect(text.length).toBeGreaterThan(25_000_000);
    const list = parseAllowList(text);
    if (list === undefined || list === "none") throw new Error("not a list");
    expectQuick(() => {
      for (let again = 0; again < 100_000; again += 1) allowsTenant(list, "tenant-1199999-abcd");
    });
    expect(allowsTenant(list, "tenant-1199999-abcd")).toBe(true);
    expect(allowsTenant(list, "tenant-1200000-abcd")).toBe(false);
  });

  it("nesting of any depth is malformed, and no overflow", () => {
    for (const text of ["[", '{"tenants":', '["a",'].map((open) => fill(open, 1_000_000)))
      expect(parseAllowList(text)).toBeUndefined();
    const closed = "[".repeat(500_000) + "]".repeat(500_000);
    expect(parseAllowList(closed)).toBeUndefined();
    expect(parseAllowList(`{"tenants":${closed}}`)).toBeUndefined();
    expect(parseJwks({ keys: JSON.parse("[".repeat(30_000) + "]".repeat(30_000)) })).toBeUndefined();
  });
});
