import { CONCURRENCIES } from "./requests.ts";
import type { Figure, Measurement } from "./result.ts";
import { ratiosOf, spreadOf } from "./statistics.ts";

type Take = (measurement: Measurement) => readonly number[] | undefined;

const ratio: Take = (measurement) => measurement.ratio;
const perSecondRatio: Take = (measurement) => measurement.perSecondRatio;
const value: Take = (measurement) => measurement.value;

/** Which measurement a number is taken from; of several, the first that begins so. */
interface Place {
  readonly group: Measurement["group"];
  readonly contender: string;
  readonly workload: string;
}

const edge = (group: Measurement["group"], workload: string): Place => ({
  group,
  contender: "edge",
  workload,
});
const floor = (group: Measurement["group"], workload: string): Place => ({
  group,
  contender: "floor",
  workload,
});
const byHand = (group: Measurement["group"], workload: string): Place => ({
  group,
  contender: "by-hand",
  workload,
});

/** The measured figures against their limits. Of several concurrencies, the worst counts. */
export function figuresOf(measurements: readonly Measurement[]): Figure[] {
  const measurementAt = ({ group, contender, workload }: Place): Measurement | undefined =>
    measurements.find(
      (each) => each.group === group && each.contender === contender && each.workload.startsWith(workload),
    );
  function take(place: Place, how: Take): number {
    const measurement = measurementAt(place);
    return spreadOf((measurement && how(measurement)) ?? []).median;
  }
  /** One over another, round by round. */
  const over = (place: Place, other: Place): number =>
    spreadOf(ratiosOf(measurementAt(place)?.value ?? [], measurementAt(other)?.value ?? [])).median;
  const atOnce = (place: Place, concurrency: number): Place => ({
    ...place,
    workload: `${place.workload}, ${concurrency} at once`,
  });
  const eachAtOnce = (place: Place, how: Take): number[] =>
    CONCURRENCIES.map((concurrency) => take(atOnce(place, concurrency), how));
  const figure = (
    name: string,
    bound: Figure["bound"],
    limit: number,
    found: number,
    lowest?: number,
    unit: Figure["unit"] = "ratio",
  ): Figure => {
    const met = bound === "most" ? found <= limit : found >= limit;
    return { name, limit, bound, unit, value: found, floor: lowest, met };
  };
  const decision = (name: string, limit: number, workload: string, lowest: Place): Figure =>
    figure(name, "most", limit, take(edge("verification", workload), ratio), take(lowest, ratio));
  /** The worst of several concurrencies, and the floor at that one. */
  const atWorst = (
    name: string,
    bound: Figure["bound"],
    limit: number,
    found: readonly number[],
    floors: readonly number[],
  ): Figure => {
    const worst = bound === "most" ? Math.max(...found) : Math.min(...found);
    return figure(name, bound, limit, worst, floors[found.indexOf(worst)]);
  };
  const cpu = (name: string, limit: number, workload: string): Figure =>
    atWorst(
      `${name}: CPU over pass-through`,
      "most",
      limit,
      eachAtOnce(edge("requests", workload), ratio),
      eachAtOnce(byHand("requests", workload), ratio),
    );
  const perSecond = (name: string, limit: number, workload: string): Figure =>
    atWorst(
      `${name}: requests a second over pass-through`,
      "least",
      limit,
      eachAtOnce(edge("requests", workload), perSecondRatio),
      eachAtOnce(byHand("requests", workload), perSecondRatio),
    );

  const mixed = "95 % known, 50 routes";
  const withJose: Place = { group: "requests", contender: "edge with jose + itty-router", workload: mixed };
  const overJose = (place: Place): number[] =>
    CONCURRENCIES.map((concurrency) => over(atOnce(place, concurrency), atOnce(withJose, concurrency)));
  const known = "known, 50 routes";
  const first = "first-seen, 50 routes";
  const knownName = "whole request, known tokens, 50 routes, log on";
  const firstName = "whole request, every token first-seen";
  const m2m = (tenants: number): Place => edge("verification", `m2m ${tenants}`);
  const startUp = "start-up";
  return [
    decision(
      "first-seen token, verification step, over bare verify",
      1.3,
      "verify first",
      byHand("verification", "verify first"),
    ),
    decision(
      "known token, whole decision with 50 routes and log record made, over bare verify",
      0.25,
      "known 1000 api",
      byHand("verification", "known 1000 api"),
    ),
    decision(
      "malformed token refused, whole decision, over bare verify",
      0.15,
      "junk",
      floor("verification", "junk"),
    ),
    cpu(knownName, 1.15, known),
    perSecond(knownName, 0.88, known),
    cpu(firstName, 1.45, first),
    perSecond(firstName, 0.65, first),
    atWorst(
      "whole request, 95 % known: CPU over the same with jose + itty-router in each request",
      "most",
      0.75,
      overJose(edge("requests", mixed)),
      overJose(byHand("requests", mixed)),
    ),
    figure(
      "M2M with 100,000 tenants over M2M with 10, known token",
      "most",
      1.05,
      over(m2m(100_000), m2m(10)),
    ),
    figure("bundle, gzip", "most", 25_000, take(edge("footprint", "bundle"), value), undefined, "bytes"),
    figure(
      "start-up CPU of an isolate over an empty Worker",
      "most",
      3,
      take(edge("footprint", startUp), value),
      take(floor("footprint", startUp), value),
      "ms",
    ),
    figure(
      "memory of 10,000 known tokens",
      "most",
      20,
      take(edge("footprint", "memory"), value),
      undefined,
      "MB",
    ),
  ];
}
