import { describe, expect, it } from "vitest";
import { readHeaders } from "../../../src/core/http/client-headers.ts";

describe("header lines that have been read", () => {
  const headers = new Headers([
    ["X-A", "1"],
    ["x-a", "2"],
    ["x-empty", ""],
    ["x-b", " 3 "],
  ]);
  const read = readHeaders(headers);

  it("are those of Headers: names in lower case, repeated ones joined", () => {
    expect([...read]).toEqual([...headers]);
    for (const name of ["x-a", "x-b", "x-empty", "x-none", "__proto__"]) {
      expect(read.get(name), name).toBe(headers.get(name));
      expect(read.has(name), name).toBe(headers.has(name));
    }
  });

  it("stay as they were read, however often they are gone through", () => {
    headers.set("x-later", "4");
    expect(read.has("x-later")).toBe(false);
    expect([...read]).toEqual([...read]);
    expect([...read]).toHaveLength(3);
  });
});
