import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { faultsOf } from "../../src/cli/faults.ts";

const schema = v.strictObject(
  { id: v.string("must be a string"), list: v.optional(v.array(v.number("must be a number"))) },
  "must be a table",
);
const faultsIn = (value: unknown): readonly string[] => {
  const parsed = v.safeParse(schema, value);
  return parsed.success ? [] : faultsOf(parsed.issues);
};

describe("faultsOf", () => {
  it.each([
    [{ id: "a" }, []],
    [{ id: 1, list: [1, "x"] }, ["id: must be a string", "list.1: must be a number"]],
    [{}, ["id: is missing"]],
    [{ id: "a", other: 1 }, ["other: is not known here"]],
    ["x", ["must be a table"]],
  ])("names what is wrong with %j by its path", (value, faults) => {
    expect(faultsIn(value)).toEqual(faults);
  });
});
