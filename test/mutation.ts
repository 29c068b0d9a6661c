import { spawnSync } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

/**
 * Mutation run over src/core, area by area with the area's own tests: with all tests at once each of some 2,500 mutants
 * would load every file of them. Writes reports/mutation/survivors.txt; exits 1 below the least score.
 */
const AREAS = {
  policy: { mutate: "src/core/policy/**/*.ts", tests: "test/core/policy/**/*.test.ts" },
  http: { mutate: "src/core/http/**/*.ts", tests: "test/core/http/**/*.test.ts" },
  token: { mutate: "src/core/token/**/*.ts", tests: "test/core/token/**/*.test.ts" },
  tenant: { mutate: "src/core/tenant/**/*.ts", tests: "test/core/tenant/**/*.test.ts" },
  decision: { mutate: "src/core/*.ts", tests: "test/core/*.test.ts" },
} as const;
const LEAST_SCORE = 90;
const ROOT = fileURLToPath(new URL("../", import.meta.url));
const FOLDER = `${ROOT}reports/mutation`;

interface Mutant {
  readonly status: string;
  readonly mutatorName: string;
  readonly replacement?: string;
  readonly location: { readonly start: { readonly line: number; readonly column: number } };
}

interface Report {
  readonly files: Readonly<Record<string, { readonly mutants: readonly Mutant[] }>>;
}

const DETECTED = new Set(["Killed", "Timeout"]);
const UNDETECTED = new Set(["Survived", "NoCoverage"]);

/** Runs Stryker on one area, and returns what it reports. */
async function runArea({
  mutate,
  tests,
}: {
  readonly mutate: string;
  readonly tests: string;
}): Promise<Report> {
  const run = spawnSync("stryker", ["run", "--mutate", mutate], {
    cwd: ROOT,
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, MUTATION_TESTS: tests },
  });
  if (run.error !== undefined) throw run.error;
  return JSON.parse(await readFile(`${FOLDER}/mutation.json`, "utf8")) as Report;
}

const percent = (detected: number, all: number): string => `${((100 * detected) / all).toFixed(1)} %`;

const survivors: string[] = [];
let [allDetected, allMutants] = [0, 0];
await mkdir(FOLDER, { recursive: true });
for (const [area, what] of Object.entries(AREAS)) {
  let [detected, undetected] = [0, 0];
  for (const [file, { mutants }] of Object.entries((await runArea(what)).files))
    for (const { status, mutatorName, replacement = "", location } of mutants) {
      if (DETECTED.has(status)) detected += 1;
      if (!UNDETECTED.has(status)) continue;
      undetected += 1;
      const { line, column } = location.start;
      survivors.push(
        `${file}:${line}:${column} ${mutatorName} -> ${replacement.replaceAll(/\s+/g, " ").slice(0, 90)}`,
      );
    }
  allDetected += detected;
  allMutants += detected + undetected;
  console.log(
    `${area}: ${detected} of ${detected + undetected} mutants killed, ${percent(detected, detected + undetected)}`,
  );
}
await writeFile(`${FOLDER}/survivors.txt`, `${survivors.join("\n")}\n`);
console.log(
  `src/core: ${allDetected} of ${allMutants}, ${percent(allDetected, allMutants)}; the others are in ${FOLDER}/survivors.txt`,
);
if (100 * allDetected < LEAST_SCORE * allMutants) process.exitCode = 1;
