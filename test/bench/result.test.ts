import { describe, expect, it } from "vitest";
import { joinPasses, type Measurement, rowOf } from "../../bench/result.ts";

const known = (value: readonly number[], ratio: readonly number[]): Measurement => ({
  group: "requests",
  contender: "edge",
  workload: "known",
  unit: "µs",
  value,
  ratio,
});

describe("passes of a benchmark", () => {
  const other = { ...known([7], [7]), contender: "jose" };

  it("are joined, all of their rounds in order", () => {
    const passes = [
      [known([1, 2], [3, 4]), other],
      [known([5, 6], [7, 8]), other],
    ];
    expect(joinPasses(passes)).toEqual([
      known([1, 2, 5, 6], [3, 4, 7, 8]),
      { ...other, value: [7, 7], ratio: [7, 7] },
    ]);
  });

  it.each([
    ["a contender is missing", [known([5, 6], [7, 8])]],
    ["they stand in another order", [other, known([5, 6], [7, 8])]],
    ["a round is missing", [known([5], [7]), other]],
    ["nothing was measured", []],
  ])("are not joined where %s in one of them", (_what, second) => {
    expect(() => joinPasses([[known([1, 2], [3, 4]), other], second])).toThrow("not measured the same");
  });

  it("become median and quartiles of what was measured, and of nothing else", () => {
    const row = rowOf(known([1, 2, 3], [30, 10, 20]));
    expect(row).toEqual({
      ...known([], []),
      value: { median: 2, p25: 1.5, p75: 2.5 },
      ratio: { median: 20, p25: 15, p75: 25 },
    });
  });
});
