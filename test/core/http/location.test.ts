import { describe, expect, it } from "vitest";
import { rewriteLocation } from "../../../src/core/http/location.ts";

const GATEWAY = "https://api.example";
const STAGED = { baseUrl: "https://origin.example/prod", basePath: "/prod" };
const BARE = { baseUrl: "https://origin.example", basePath: "" };

describe("a Location of an origin with a stage path", () => {
  it.each([
    // under the origin's URL
    ["https://origin.example/prod/a?b=c#d", "https://api.example/a?b=c#d"],
    ["https://origin.example/prod/", "https://api.example/"],
    ["https://origin.example/prod", "https://api.example"],
    ["https://origin.example/prod?a", "https://api.example?a"],
    ["https://origin.example:443/prod/a", "https://api.example/a"],
    ["HTTPS://ORIGIN.example/prod/a", "https://api.example/a"],
    ["//origin.example/prod/a", "https://api.example/a"],
    ["https://origin.example/x/../prod/a", "https://api.example/a"],
    // elsewhere
    ["https://origin.example/", "https://origin.example/"],
    ["https://origin.example/production/a", "https://origin.example/production/a"],
    ["https://origin.example/prod/../a", "https://origin.example/prod/../a"],
    ["http://origin.example/prod/a", "http://origin.example/prod/a"],
    ["https://origin.example:8443/prod/a", "https://origin.example:8443/prod/a"],
    ["https://other.example/prod/a", "https://other.example/prod/a"],
    ["https://origin.example.evil.example/prod/a", "https://origin.example.evil.example/prod/a"],
    ["https://origin.example@evil.example/prod/a", "https://origin.example@evil.example/prod/a"],
    ["//other.example/prod/a", "//other.example/prod/a"],
    ["https://", "https://"],
    ["https://[/prod", "https://[/prod"],
    ["a1+.-://origin.example/prod/a", "a1+.-://origin.example/prod/a"],
    // relative, with the stage path
    ["/prod/a?b#c", "/a?b#c"],
    ["/prod/", "/"],
    ["/prod", "/"],
    ["/prod?a=/prod", "/?a=/prod"],
    ["/prod#/prod", "/#/prod"],
    ["/prod/prod", "/prod"],
    // what is left must not be another host
    ["/prod//evil.example", "https://api.example//evil.example"],
    ["/prod/\\evil.example", "https://api.example/\\evil.example"],
    ["/prod/\t/evil.example", "https://api.example/\t/evil.example"],
    ["/prod/\r\n/evil.example", "https://api.example/\r\n/evil.example"],
    ["/prod/a//b", "/a//b"],
    // relative, without it
    ["/a", "/a"],
    ["/production", "/production"],
    ["/x/prod/a", "/x/prod/a"],
    ["/a?/prod/b", "/a?/prod/b"],
    ["prod/a", "prod/a"],
    ["../a", "../a"],
    ["?a", "?a"],
    ["#a", "#a"],
    ["", ""],
    ["a?u=https://origin.example/prod/a", "a?u=https://origin.example/prod/a"],
    ["/prod/a?u=//x", "/a?u=//x"],
    ["mailto:ada@origin.example", "mailto:ada@origin.example"],
  ])("%j reaches the client as %j", (location, rewritten) => {
    expect(rewriteLocation(location, STAGED, GATEWAY)).toBe(rewritten);
  });
});

describe("a Location of an origin without one", () => {
  it.each([
    ["https://origin.example/a?b#c", "https://api.example/a?b#c"],
    ["https://origin.example", "https://api.example/"],
    ["//origin.example/a", "https://api.example/a"],
    ["https://other.example/a", "https://other.example/a"],
    ["/a", "/a"],
    ["/", "/"],
    ["//other.example", "//other.example"],
    ["a", "a"],
    ["?a", "?a"],
    ["", ""],
  ])("%j reaches the client as %j", (location, rewritten) => {
    expect(rewriteLocation(location, BARE, GATEWAY)).toBe(rewritten);
  });
});
