import { expect, it } from "vitest";
import { runDifferential, STRICTER_RULES } from "./differential.ts";

const RUNS = Number(process.env["DIFFERENTIAL_RUNS"] ?? 2_000);

it(`refuses whatever jose refuses, and more only by a listed rule, for ${RUNS} tokens`, {
  timeout: 60_000 + RUNS * 20,
}, async () => {
  const report = await runDifferential(RUNS);
  expect(report.tokens).toBeGreaterThanOrEqual(RUNS);
  // a run that accepts next to nothing, or refuses next to nothing, would compare next to nothing
  expect(report.acceptedByBoth).toBeGreaterThan(RUNS / 20);
  expect(report.refusedByBoth).toBeGreaterThan(RUNS / 20);
  expect(Object.keys(report.stricter)).toHaveLength(STRICTER_RULES.length);
});
