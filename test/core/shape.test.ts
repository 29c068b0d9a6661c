import { describe, expect, it } from "vitest";
import { arrayOf, type Check, checkMembers, fieldOf, isTable, itemsOf, oneOf } from "../../src/core/shape.ts";

const number: Check = (value, path, faults) => {
  if (typeof value !== "number") faults.push(`${path}: must be a number`);
};
const faultsIn = (table: object, within = ""): readonly string[] => {
  const faults: string[] = [];
  checkMembers(table, { a: number, b: number }, ["a"], within, faults);
  return faults;
};

describe("what may be anything", () => {
  it("is a table where it is an object and no array", () => {
    for (const value of [{}, Object.create(null), new Map()]) expect(isTable(value)).toBe(true);
    for (const value of [null, undefined, [], "x", 1, () => 1]) expect(isTable(value)).toBe(false);
  });

  it("has members and items only where it can", () => {
    expect(fieldOf({ a: 1 }, "a")).toBe(1);
    for (const value of [{}, null, undefined, "a", 1]) expect(fieldOf(value, "length")).toBeUndefined();
    expect(itemsOf([1, 2])).toEqual([1, 2]);
    for (const value of [{ length: 1 }, null, "ab"]) expect(itemsOf(value)).toEqual([]);
  });
});

describe("checkMembers", () => {
  it("adds nothing to a table that is right", () => {
    expect(faultsIn({ a: 1, b: 2 })).toEqual([]);
    expect(faultsIn({ a: 1, b: undefined })).toEqual([]);
  });

  it("names what is wrong, unknown or missing, from where the table stands", () => {
    expect(faultsIn({ b: "x", c: 1 }, "t.")).toEqual([
      "t.a: is missing",
      "t.b: must be a number",
      "t.c: is not known here",
    ]);
    expect(faultsIn({ a: undefined })).toEqual(["a: is missing"]);
  });

  it("looks at members that are not enumerable, as whoever uses the table will", () => {
    class Table {
      get a(): unknown {
        return "x";
      }
    }
    expect(faultsIn(new Table())).toEqual(["a: must be a number"]);
    expect(faultsIn(Object.defineProperty({ a: 1 }, "b", { value: "x" }))).toEqual(["b: must be a number"]);
    expect(faultsIn(new Proxy({ a: "x" }, { ownKeys: () => [] }))).toEqual(["a: must be a number"]);
  });

  it("looks at inherited members, and takes none of an object's own for a check", () => {
    expect(faultsIn(Object.create({ a: "x" }))).toEqual(["a: must be a number"]);
    expect(faultsIn({ a: 1, toString: 1 })).toEqual(["toString: is not known here"]);
  });
});

describe("oneOf and arrayOf", () => {
  const faultsWith = (check: Check, value: unknown): readonly string[] => {
    const faults: string[] = [];
    check(value, "it", faults);
    return faults;
  };

  it("take one of the values, and no other", () => {
    const check = oneOf(["a", true], "a or true");
    for (const value of ["a", true]) expect(faultsWith(check, value)).toEqual([]);
    for (const value of ["true", 1, null])
      expect(faultsWith(check, value)).toEqual(["it: must be a or true"]);
  });

  it("take an array whose items are right, an empty one unless told otherwise", () => {
    const numbers = arrayOf(number, "must be an array");
    for (const value of [[], [1, 2]]) expect(faultsWith(numbers, value)).toEqual([]);
    expect(faultsWith(numbers, [1, "x"])).toEqual(["it.1: must be a number"]);
    const holed: unknown[] = [1, "x"];
    holed.length = 3;
    expect(faultsWith(numbers, holed)).toEqual(["it.1: must be a number", "it.2: must be a number"]);
    expect(faultsWith(arrayOf(undefined, "must be an array"), [1, "x"])).toEqual([]);
    for (const value of [{ length: 0 }, "", null])
      expect(faultsWith(numbers, value)).toEqual(["it: must be an array"]);
    expect(faultsWith(arrayOf(number, "must be an array", "must not be empty"), [])).toEqual([
      "it: must not be empty",
    ]);
  });
});
