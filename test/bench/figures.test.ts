import { describe, expect, it } from "vitest";
import { figuresOf } from "../../bench/figures.ts";
import type { Measurement } from "../../bench/result.ts";

const measured = (
  group: Measurement["group"],
  contender: string,
  workload: string,
  value: readonly number[],
): Measurement => ({
  group,
  contender,
  workload,
  unit: "µs",
  value,
});

const figureOf = (measurements: readonly Measurement[], name: string) =>
  figuresOf(measurements).find((figure) => figure.name.startsWith(name));

describe("a figure that compares two contenders", () => {
  // medians 1 and 2, but round by round 2, 1 and 1
  const [few, many] = [
    [1, 1, 2],
    [2, 1, 2],
  ] as const;

  it("is the median of its rounds, not a ratio of medians", () => {
    const measurements = [
      measured("verification", "edge", "m2m 10", few),
      measured("verification", "edge", "m2m 100000", many),
    ];
    expect(figureOf(measurements, "M2M")).toMatchObject({ value: 1, met: true });
  });

  it("takes the worse of the two concurrencies", () => {
    const mixed = "95 % known, 50 routes";
    const at = (concurrency: number, own: readonly number[]): Measurement[] => [
      measured("requests", "edge", `${mixed}, ${concurrency} at once`, own),
      measured("requests", "edge with jose + itty-router", `${mixed}, ${concurrency} at once`, [4, 4, 4]),
    ];
    expect(figureOf([...at(16, [2, 2, 2]), ...at(64, [3, 3, 3])], "whole request, 95 %")?.value).toBe(0.75);
    expect(figureOf([...at(16, [3, 3, 3]), ...at(64, [2, 2, 2])], "whole request, 95 %")?.value).toBe(0.75);
  });

  it("has the same by hand as its floor", () => {
    const measurements = [16, 64].flatMap((concurrency) => [
      measured("requests", "by-hand", `95 % known, 50 routes, ${concurrency} at once`, [2, 2, 2]),
      measured("requests", "edge", `95 % known, 50 routes, ${concurrency} at once`, [3, 3, 3]),
      measured(
        "requests",
        "edge with jose + itty-router",
        `95 % known, 50 routes, ${concurrency} at once`,
        [4, 4, 4],
      ),
    ]);
    expect(figureOf(measurements, "whole request, 95 %")).toMatchObject({ value: 0.75, floor: 0.5 });
  });

  it("has its floor from the concurrency that is the worse one for it", () => {
    const at = (concurrency: number, floor: number, own: number): Measurement[] => [
      measured("requests", "by-hand", `95 % known, 50 routes, ${concurrency} at once`, [floor]),
      measured("requests", "edge", `95 % known, 50 routes, ${concurrency} at once`, [own]),
      measured(
        "requests",
        "edge with jose + itty-router",
        `95 % known, 50 routes, ${concurrency} at once`,
        [10],
      ),
    ];
    const figure = (measurements: readonly Measurement[]) => figureOf(measurements, "whole request, 95 %");
    expect(figure([...at(16, 5, 8), ...at(64, 6, 7)])).toMatchObject({ value: 0.8, floor: 0.5 });
    expect(figure([...at(16, 6, 7), ...at(64, 5, 8)])).toMatchObject({ value: 0.8, floor: 0.5 });
  });

  it("is no number, and not met, where a measurement is missing", () => {
    expect(figureOf([measured("verification", "edge", "m2m 10", few)], "M2M")).toMatchObject({
      value: Number.NaN,
      met: false,
    });
  });
});
