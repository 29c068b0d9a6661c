import { ALLOW_LIST_SIZES } from "./core-bench.ts";
import type { Measurement } from "./result.ts";
import type { Scale } from "./scale.ts";
import { ratiosOf } from "./statistics.ts";
import { fail } from "./task.ts";
import { forge, idToken, machineToken, type Signer } from "./tokens.ts";
import type { BenchTokens } from "./verification-worker.ts";
import { type BenchWorker, bundle, startWorker } from "./workerd.ts";

const FIRST_SEEN = 500;
const REFUSED = 100;

/** In turn: a character that is no base64url in the payload, or in the signature, two segments, and four. */
const SPOILT: readonly ((token: string) => string)[] = [
  (token) => `${token.slice(0, 600)}!${token.slice(601)}`,
  (token) => `${token.slice(0, -100)}!${token.slice(-99)}`,
  (token) => token.replace(".", ""),
  (token) => `${token.slice(0, -100)}.${token.slice(-100)}`,
];
const spoil = (token: string, index: number): string =>
  SPOILT[index % SPOILT.length]?.(token) ?? fail("nothing spoils it");

/** The tokens of every workload, issued a minute ago. */
export async function createWorkloads(signer: Signer, known: readonly string[]): Promise<BenchTokens> {
  const issuedAt = Math.floor(Date.now() / 1000) - 60;
  const first = known.slice(0, FIRST_SEEN);
  const some = first.slice(0, REFUSED);
  const [expired, m2m] = await Promise.all([
    Promise.all(some.map(() => idToken(signer, issuedAt - 7_200))),
    Promise.all(ALLOW_LIST_SIZES.map((size) => machineToken(signer, issuedAt, `machine-${size}`))),
  ]);
  const tokens = { first, known, expired, m2m, junk: some.map(spoil), forged: some.map(forge) };
  return { jwks: signer.jwks as BenchTokens["jwks"], tokens };
}

interface Sample {
  readonly timeUs: number[];
  readonly cpuUs: number[];
}

async function runTask({ url }: BenchWorker, task: string, count: number): Promise<number> {
  const startedAtMs = performance.now();
  const response = await fetch(`${url}/?task=${encodeURIComponent(task)}&count=${count}`);
  const text = await response.text();
  if (!response.ok) throw new Error(`${task}: ${text}`);
  return performance.now() - startedAtMs;
}

/**
 * Operations of a batch, so many that each of its known tokens has its turn; before that, every token of the task has
 * been seen twice, and the code is hot.
 */
async function warmUp(worker: BenchWorker, task: string, scale: Scale): Promise<number> {
  const known = task.includes("known") ? Number(/\d+/.exec(task)?.[0]) : 0;
  await runTask(worker, task, Math.max(2 * (known || FIRST_SEEN), scale.warmUp));
  const probe = 500;
  const perOperationMs = (await runTask(worker, task, probe)) / probe;
  return Math.ceil(Math.min(50_000, Math.max(100, known, scale.batchMs / perOperationMs)));
}

/** Name of a row: the task's, taken apart. */
const labelOf = (task: string): { contender: string; workload: string } => {
  const [contender = "", ...rest] = task.split(" ");
  return { contender, workload: rest.join(" ") || "signature" };
};

const minus = (values: readonly number[], base: readonly number[]): number[] =>
  values.map((value, round) => value - (base[round] ?? 0));

/** Measures every contender in one workerd process, in turns. */
export async function measureVerification(workloads: BenchTokens, scale: Scale): Promise<Measurement[]> {
  const script = await bundle('export { default } from "./bench/verification-worker.ts";');
  const worker = await startWorker({ script });
  try {
    const loaded = await fetch(worker.url, { method: "POST", body: JSON.stringify(workloads) });
    if (!loaded.ok) throw new Error(`the tokens were not taken: ${await loaded.text()}`);
    const tasks = (await loaded.json()) as string[];
    const counts = new Map<string, number>();
    for (const task of tasks) counts.set(task, task === "empty" ? 1 : await warmUp(worker, task, scale));
    const samples = new Map(tasks.map((task): [string, Sample] => [task, { timeUs: [], cpuUs: [] }]));
    for (let round = 0; round < scale.rounds; round += 1) {
      for (const [task, sample] of samples) {
        // what an empty batch takes, right beside each batch, is the cost of asking
        const emptyMs = Math.min(await runTask(worker, "empty", 1), await runTask(worker, "empty", 1));
        const cpuBefore = worker.cpuNs();
        const count = counts.get(task) ?? 1;
        const ms = await runTask(worker, task, count);
        sample.timeUs.push(((ms - emptyMs) * 1000) / count);
        sample.cpuUs.push((worker.cpuNs() - cpuBefore) / 1000 / count);
      }
    }
    return measurementsOf(samples);
  } finally {
    await worker.close();
  }
}

function measurementsOf(samples: ReadonlyMap<string, Sample>): Measurement[] {
  const bare = samples.get("bare");
  const honoEmpty = samples.get("hono empty");
  if (bare === undefined || honoEmpty === undefined) throw new Error("there is no baseline");
  return [...samples]
    .filter(([task]) => task !== "empty" && task !== "hono empty")
    .map(([task, sample]) => {
      // Hono's middleware is measured inside an app: the same app without it is taken off
      const isHono = task.startsWith("hono");
      const timeUs = isHono ? minus(sample.timeUs, honoEmpty.timeUs) : sample.timeUs;
      const cpuUs = isHono ? minus(sample.cpuUs, honoEmpty.cpuUs) : sample.cpuUs;
      return {
        group: "verification",
        ...labelOf(task),
        unit: "µs",
        value: timeUs,
        ratio: ratiosOf(timeUs, bare.timeUs),
        cpu: cpuUs,
        cpuRatio: ratiosOf(cpuUs, bare.cpuUs),
      } satisfies Measurement;
    });
}
