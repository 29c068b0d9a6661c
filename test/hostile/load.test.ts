import { expect, it } from "vitest";
import { expectFlawless, runLoad } from "./load.ts";

it("answers 2,000 mixed requests at concurrency 64, every one of them right", async () => {
  const report = await runLoad(2_000);
  expectFlawless(report, 150);
  expect(report.requests).toBe(2_000);
  expect(Object.keys(report.answers).length).toBeGreaterThan(15);
});
