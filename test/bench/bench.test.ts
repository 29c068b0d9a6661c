import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Results } from "../../bench/result.ts";

const LIMIT_MS = 400_000; // all of it runs, and the machine may be busy
let folder: string;
let results: Results;
let output: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "edge-bench-test-"));
  const run = await promisify(execFile)(process.execPath, ["bench/run.ts", "--quick", "--out", folder]);
  output = run.stdout;
  results = JSON.parse(await readFile(join(folder, "results.json"), "utf8")) as Results;
}, LIMIT_MS);

afterAll(() => rm(folder, { recursive: true, force: true }));

const rowsOf = (group: string): string[] =>
  results.rows.filter((row) => row.group === group).map((row) => `${row.contender}: ${row.workload}`);

describe("npm run bench", () => {
  it("measures each library and the core in workerd, on every kind of token", () => {
    expect(rowsOf("verification").toSorted()).toEqual(
      [
        "bare: signature",
        ...["first", "junk", "forged", "expired"].flatMap((kind) => [`jose: ${kind}`, `aws: ${kind}`]),
        "hono: first",
        "floor: junk",
        "by-hand: verify first",
        "by-hand: known 1 api",
        "by-hand: known 1000 api",
        "edge: verify first",
        "edge: decide first",
        "edge: known 1 api",
        "edge: known 1000 api",
        "edge: known 1000 browser",
        "edge: junk",
        "edge: forged",
        "edge: expired",
        ...[10, 1_000, 100_000].map((tenants) => `edge: m2m ${tenants}`),
      ].toSorted(),
    );
  });

  it("measures fast-jwt and the core in Node", () => {
    expect(rowsOf("node")).toEqual([
      "bare: signature",
      "fast-jwt: first",
      "fast-jwt: known",
      "edge: verify first",
      "edge: decide first",
      "edge: known",
    ]);
  });

  it("measures whole requests at both concurrencies, with 1 and 50 routes, against both other Workers", () => {
    const workloads = [
      "pass-through: known",
      "by-hand: known, 50 routes",
      "by-hand: first-seen, 50 routes",
      "by-hand: 95 % known, 50 routes",
      "edge: known, 1 route",
      "edge: known, 50 routes",
      "edge: first-seen, 50 routes",
      "edge: 95 % known, 50 routes",
      "edge with jose + itty-router: 95 % known, 50 routes",
      "jose + itty-router: 95 % known, 50 routes",
    ];
    expect(rowsOf("requests")).toEqual(
      [16, 64].flatMap((concurrency) => workloads.map((workload) => `${workload}, ${concurrency} at once`)),
    );
    for (const row of results.rows.filter(({ group }) => group === "requests")) {
      expect(row.value.median, row.workload).toBeGreaterThan(0);
      expect(row.perSecond?.median, row.workload).toBeGreaterThan(0);
    }
  });

  it("takes a whole request apart, each duty on top of those before", () => {
    const parts = rowsOf("parts");
    expect(parts[0]).toBe("no decision: pass-through");
    expect(parts).toHaveLength(9);
    for (const { group, value, workload } of results.rows)
      if (group === "parts") expect(value.median, workload).toBeGreaterThan(0);
  });

  it("has a number for every figure to hold", () => {
    expect(results.figures).toHaveLength(12);
    for (const { name, value, floor } of results.figures) {
      expect(value, name).not.toBeNaN();
      expect(floor, name).not.toBeNaN();
    }
  });

  it("finds the bundle and the memory of known tokens within their limits", () => {
    const row = (workload: string) => results.rows.find((each) => each.workload.startsWith(workload));
    expect(row("bundle")?.value.median).toBeLessThanOrEqual(25_000);
    // 1,000 tokens here: a tenth of the limit for 10,000
    expect(row("memory of 1,000")?.value.median).toBeLessThanOrEqual(2.2);
  });

  it("measures what an isolate costs before it is warm: its start, and its first request", () => {
    const cold = (workload: string) =>
      rowsOf("footprint").filter(
        (row) => row.startsWith(`edge: ${workload}`) || row.startsWith(`floor: ${workload}`),
      );
    expect(cold("start-up CPU")).toHaveLength(2);
    expect(cold("first request")).toHaveLength(1);
    for (const { group, value } of results.rows)
      if (group === "footprint") expect(value.median).not.toBeNaN();
  });

  it("prints the tables, and draws the picture", async () => {
    for (const figure of results.figures) expect(output).toContain(`| ${figure.name} |`);
    const picture = await readFile(join(folder, "performance.svg"), "utf8");
    expect(picture.startsWith("<svg ")).toBe(true);
    expect(picture).toContain("edge: known, 50 routes");
    expect(picture).not.toContain("NaN");
  });
});
