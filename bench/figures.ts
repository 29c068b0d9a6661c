import { CONCURRENCIES } from "./requests.ts";
import type { Figure, Row } from "./result.ts";

type Take = (row: Row) => number | undefined;

const ratio: Take = (row) => row.ratio?.median;
const perSecondRatio: Take = (row) => row.perSecondRatio?.median;
const value: Take = (row) => row.value.median;

function find(
  rows: readonly Row[],
  group: Row["group"],
  contender: string,
  workload: string,
): Row | undefined {
  return rows.find(
    (row) => row.group === group && row.contender === contender && row.workload.startsWith(workload),
  );
}

/** The measured figures against their limits. Of several concurrencies, the worst counts. */
export function figuresOf(rows: readonly Row[]): Figure[] {
  const take = (group: Row["group"], workload: string, how: Take): number => {
    const row = find(rows, group, "edge", workload);
    return (row && how(row)) ?? Number.NaN;
  };
  const requests = (workload: string, how: Take): number[] =>
    CONCURRENCIES.map((concurrency) => take("requests", `${workload}, ${concurrency} at once`, how));
  const overJose = CONCURRENCIES.map((concurrency) => {
    const workload = `95 % known, 50 routes, ${concurrency} at once`;
    const jose = find(rows, "requests", "jose + itty-router", workload);
    return take("requests", workload, ratio) / ((jose && ratio(jose)) ?? Number.NaN);
  });
  const most = (name: string, limit: number, found: number, unit: Figure["unit"] = "ratio"): Figure => ({
    name,
    limit,
    bound: "most",
    unit,
    value: found,
    met: found <= limit,
  });
  const least = (name: string, limit: number, found: number): Figure => ({
    name,
    limit,
    bound: "least",
    unit: "ratio",
    value: found,
    met: found >= limit,
  });
  const m2m = (tenants: number): number => take("verification", `m2m ${tenants}`, value);
  return [
    most(
      "first-seen token, verification step, over bare verify",
      1.3,
      take("verification", "verify first", ratio),
    ),
    most(
      "known token, whole decision with 50 routes and log record made, over bare verify",
      0.25,
      take("verification", "known 1000 api", ratio),
    ),
    most(
      "malformed token refused, whole decision, over bare verify",
      0.15,
      take("verification", "junk", ratio),
    ),
    most(
      "whole request, known tokens, 50 routes, log on: CPU over pass-through",
      1.15,
      Math.max(...requests("known, 50 routes", ratio)),
    ),
    least(
      "whole request, known tokens, 50 routes, log on: requests a second over pass-through",
      0.88,
      Math.min(...requests("known, 50 routes", perSecondRatio)),
    ),
    most(
      "whole request, every token first-seen: CPU over pass-through",
      1.45,
      Math.max(...requests("first-seen, 50 routes", ratio)),
    ),
    least(
      "whole request, every token first-seen: requests a second over pass-through",
      0.65,
      Math.min(...requests("first-seen, 50 routes", perSecondRatio)),
    ),
    most(
      "whole request, 95 % known: CPU over jose + itty-router in each request",
      0.75,
      Math.max(...overJose),
    ),
    most("M2M with 100,000 tenants over M2M with 10, known token", 1.05, m2m(100_000) / m2m(10)),
    most("bundle, gzip", 25_000, take("footprint", "bundle", value), "bytes"),
    most("start-up CPU of an isolate over an empty Worker", 3, take("footprint", "start-up", value), "ms"),
    most("memory of 10,000 known tokens", 20, take("footprint", "memory", value), "MB"),
  ];
}
