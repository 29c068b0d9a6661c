import { describe, expect, it } from "vitest";
import { allowedOrigin, corsHeaders, isPreflight, preflightAnswer } from "../../../src/core/http/cors.ts";

const APP = "https://app.example";
const EXPOSED = "www-authenticate, x-request-id, retry-after";

describe("an origin", () => {
  it.each([
    ["that is in the list is allowed", APP, ["https://other.example", APP], APP],
    ["is allowed by a star", APP, ["*"], APP],
    ["null is allowed by a star alone", "null", ["*"], "null"],
    ["that is absent is none", null, ["*"], undefined],
    ["that is empty is none", "", ["*"], undefined],
    ["that is not in the list is refused", "https://evil.example", [APP], undefined],
    ["of another scheme is refused", "http://app.example", [APP], undefined],
    ["of another port is refused", "https://app.example:8443", [APP], undefined],
    ["of a longer name is refused", "https://app.example.evil.example", [APP], undefined],
    ["of another letter case is refused", "https://APP.example", [APP], undefined],
    ["null is refused by a list", "null", [APP], undefined],
    ["is refused by an empty list", APP, [], undefined],
    ["* is no origin", "*", [APP], undefined],
  ] as const)("%s", (_name, origin, allowed, expected) => {
    expect(allowedOrigin(origin, allowed)).toBe(expected);
  });
});

describe("CORS headers", () => {
  it("name the origin, vary by it, and expose what refusals say", () => {
    expect(corsHeaders(APP)).toEqual([
      ["access-control-allow-origin", APP],
      ["vary", "Origin"],
      ["access-control-expose-headers", EXPOSED],
    ]);
  });
  it("keep what the origin behind exposes beside ours", () => {
    expect(corsHeaders(APP, "x-total, etag")[2]).toEqual([
      "access-control-expose-headers",
      `${EXPOSED}, x-total, etag`,
    ]);
  });
  it.each([null, undefined, ""])("expose ours alone where the origin exposes %j", (exposed) => {
    expect(corsHeaders(APP, exposed)[2]).toEqual(["access-control-expose-headers", EXPOSED]);
  });
});

describe("a preflight", () => {
  const asked = { origin: APP, "access-control-request-method": "PUT" };

  it("is OPTIONS with Origin and Access-Control-Request-Method", () => {
    expect(isPreflight("OPTIONS", new Headers(asked))).toBe(true);
  });
  it("is nothing else", () => {
    expect(isPreflight("GET", new Headers(asked))).toBe(false);
    expect(isPreflight("options", new Headers(asked))).toBe(false);
    expect(isPreflight("OPTIONS", new Headers({ origin: APP }))).toBe(false);
    expect(isPreflight("OPTIONS", new Headers({ "access-control-request-method": "PUT" }))).toBe(false);
    expect(isPreflight("OPTIONS", new Headers())).toBe(false);
  });
});

describe("the answer to a preflight", () => {
  const headersFor = (requested?: string) =>
    preflightAnswer(
      APP,
      ["GET", "PUT"],
      new Headers(requested === undefined ? {} : { "access-control-request-headers": requested }),
    );
  const allowedFor = (requested?: string) =>
    headersFor(requested).headers.find(([name]) => name === "access-control-allow-headers")?.[1];
  const ALWAYS = "authorization, content-type, x-tenant-id, x-request-id";

  it("allows methods and headers for ten minutes", () => {
    expect(headersFor()).toEqual({
      status: 204,
      headers: [
        ["cache-control", "no-store"],
        ["access-control-allow-methods", "GET, PUT"],
        ["access-control-allow-headers", ALWAYS],
        ["access-control-max-age", "600"],
      ],
      body: null,
    });
  });

  it("holds no CORS header for an origin that is not allowed", () => {
    expect(
      preflightAnswer(undefined, ["GET"], new Headers({ "access-control-request-headers": "x-a" })),
    ).toEqual({ status: 204, headers: [["cache-control", "no-store"]], body: null });
  });

  it("has an empty list where no method is allowed", () => {
    expect(preflightAnswer(APP, [], new Headers()).headers).toContainEqual([
      "access-control-allow-methods",
      "",
    ]);
  });

  it.each([
    ["one more", "x-custom", `${ALWAYS}, x-custom`],
    ["several, in their order", "x-b,x-a , x-c", `${ALWAYS}, x-b, x-a, x-c`],
    ["one in another case, in lower case", "X-Custom", `${ALWAYS}, x-custom`],
    ["one of ours once", "Authorization, x-tenant-id", ALWAYS],
    ["one that is asked twice once", "x-a, X-A", `${ALWAYS}, x-a`],
    ["every character of a name", "!#$%&'*+-.^_`|~0z", `${ALWAYS}, !#$%&'*+-.^_\`|~0z`],
    ["not what is no name", 'x y, x:y, x/y, x=1, "x", (x), {x}, x@y, x\\y, x;y, , ,x-ok', `${ALWAYS}, x-ok`],
    ["nothing for nothing", "", ALWAYS],
  ])("allows %s", (_name, requested, allowed) => {
    expect(allowedFor(requested)).toBe(allowed);
  });
});
