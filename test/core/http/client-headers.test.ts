import { describe, expect, it, vi } from "vitest";
import { type ClientHeaders, readHeaders } from "../../../src/core/http/client-headers.ts";

const LINES: readonly [string, string][] = [
  ["X-A", "1"],
  ["x-a", "2"],
  ["x-empty", ""],
  ["x-b", " 3 "],
  ["Authorization", "Bearer x"],
];

function linesOf(headers: ClientHeaders): [string, string][] {
  const lines: [string, string][] = [];
  headers.forEach((value, name) => {
    lines.push([name, value]);
  });
  return lines;
}

describe("the header lines of a request", () => {
  it("are those of Headers: names in lower case, repeated ones joined", () => {
    const headers = new Headers(LINES.map(([name, value]): [string, string] => [name, value]));
    const read = readHeaders(headers);
    const names = ["authorization", "origin", "x-request-id", "x-a", "x-b", "x-empty", "x-none", "__proto__"];
    for (let round = 0; round < 2; round += 1) {
      for (const name of names) {
        expect(read.get(name), name).toBe(headers.get(name));
        expect(read.has(name), name).toBe(headers.has(name));
      }
      expect(linesOf(read)).toEqual([...headers]);
    }
    for (const name of names) expect(read.get(name), name).toBe(headers.get(name));
  });

  it("are read once, however often they are asked for and gone through", () => {
    const headers = new Headers({ "x-a": "1", "x-b": "2" });
    const forEach = vi.spyOn(headers, "forEach");
    const get = vi.spyOn(headers, "get");
    const read = readHeaders(headers);
    for (let round = 0; round < 3; round += 1) {
      for (const name of ["x-a", "x-none", "authorization", "x-request-id", "origin"]) read.get(name);
      linesOf(read);
    }
    expect(forEach).toHaveBeenCalledTimes(1);
    expect(get).not.toHaveBeenCalled();
  });

  it("are not read for what every refusal asks for", () => {
    const headers = new Headers({ authorization: "Basic x", origin: "https://a.example" });
    const forEach = vi.spyOn(headers, "forEach");
    const read = readHeaders(headers);
    expect(["authorization", "x-request-id", "origin"].map((name) => read.get(name))).toEqual([
      "Basic x",
      null,
      "https://a.example",
    ]);
    expect(forEach).not.toHaveBeenCalled();
  });
});
