import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { rewriteLocation } from "../../src/core/http/location.ts";

const GATEWAY = "https://api.example";
const ORIGIN = "https://abc.execute-api.us-east-2.amazonaws.com";

const PIECES = [
  ...[
    "/",
    "/",
    "//",
    "\\",
    "/\\",
    "\t",
    ".",
    "..",
    "/prod",
    "/prod",
    "prod",
    "/pro",
    "/production",
    "%2f",
    "?",
    "#",
  ],
  ...[
    "evil.example",
    "@evil.example",
    ":443",
    "https:",
    "http:",
    "javascript:",
    ORIGIN,
    `${ORIGIN}/prod`,
    "x",
    "é",
  ],
  ...["abc.execute-api.us-east-2.amazonaws.com", `${ORIGIN}.evil.example`, `${ORIGIN}@evil.example`, " "],
];
const location = fc
  .array(fc.constantFrom(...PIECES), { minLength: 1, maxLength: 6 })
  .map((pieces) => pieces.join("").trim());

const hostOf = (text: string, base: string): string | undefined =>
  URL.canParse(text, base) ? new URL(text, base).host : undefined;

describe.each(["", "/prod"])("rewriteLocation of an origin at %j", (basePath) => {
  const origin = { baseUrl: `${ORIGIN}${basePath}`, basePath };
  const rewrite = (text: string): string => rewriteLocation(text, origin, GATEWAY);

  it("sends nobody to a host that the origin did not name", () => {
    fc.assert(
      fc.property(location, (text) => {
        const meant = hostOf(text, `${ORIGIN}${basePath}/x`);
        const sentTo = hostOf(rewrite(text), `${GATEWAY}/x`);
        const isOrigins = meant === new URL(ORIGIN).host;
        if (isOrigins) expect(["api.example", meant]).toContain(sentTo);
        else expect(sentTo).toBe(meant);
      }),
      { numRuns: 5_000 },
    );
  });
});

describe("rewriteLocation without the stage path", () => {
  it.each([
    "/prod//evil.example/x",
    "/prod/\\evil.example/x",
    "/prod/\t/evil.example",
    "/prod//",
    "/prod/\\/evil.example",
  ])("keeps %j on the gateway: what is left is no other host", (text) => {
    const rewritten = rewriteLocation(text, { baseUrl: `${ORIGIN}/prod`, basePath: "/prod" }, GATEWAY);
    expect(new URL(rewritten, `${GATEWAY}/x`).host).toBe("api.example");
  });

  it.each([
    ["/prod", "/"],
    ["/prod/", "/"],
    ["/prod?x=1", "/?x=1"],
    ["/prod#x", "/#x"],
    ["/prod/x?y=/prod", "/x?y=/prod"],
    ["/production", "/production"],
  ])("leads %j to %j, wherever it is read", (text, path) => {
    const rewritten = rewriteLocation(text, { baseUrl: `${ORIGIN}/prod`, basePath: "/prod" }, GATEWAY);
    expect(new URL(rewritten, `${GATEWAY}/v1/deep/x`).href).toBe(`${GATEWAY}${path}`);
  });
});
