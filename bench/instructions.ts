import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { DUTIES } from "./contenders/undecided.ts";
import { EMPTY, readWorker, shippedWorker } from "./footprint.ts";
import { requestHead } from "./headers.ts";
import { sendRequests } from "./load.ts";
import { startOrigin } from "./origin-process.ts";
import { TARGET } from "./policy.ts";
import {
  byHand,
  gatewayBindings,
  gatewayEntry,
  gatewayWithJose,
  KNOWN_TOKENS,
  mixed,
  ring,
} from "./requests.ts";
import { createSigner, idToken, manyOf } from "./tokens.ts";
import { undecidedParts } from "./undecided.ts";
import { type BenchWorker, type BenchWorkerOptions, bundle, startWorker } from "./workerd.ts";

const USAGE = `npm run bench:instructions

Counts the instructions of a start and of whole requests, with valgrind's cachegrind, and prints them as Markdown.
Takes a good quarter of an hour on two quiet cores.`;

const ISOLATES = 20;
/** Requests before those that are counted: most of what is hot is machine code by then. */
const WARM_UP = 6_000;
const REQUESTS = 2_000;
const CONCURRENCY = 16;
const ROUTES = 50;
const SETTLE_MS = 2_000; // a start goes on in V8's threads, some fifty times slower than without valgrind

/** Instructions of workerd's process, its threads and V8's machine code included, the kernel's not. */
async function countInstructions(
  options: BenchWorkerOptions,
  use: (worker: BenchWorker) => Promise<void>,
): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "edge-instructions-"));
  const log = join(folder, "log");
  const cachegrind = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"];
  const worker = await startWorker({ ...options, under: [...cachegrind, `--log-file=${log}`] });
  try {
    await use(worker);
  } finally {
    await worker.close();
  }
  const counted = /I +refs: +([\d,]+)/.exec(await readFile(log, "utf8"))?.[1];
  await rm(folder, { recursive: true });
  if (counted === undefined) throw new Error("valgrind has not told how many instructions there were");
  return Number(counted.replaceAll(",", ""));
}

const print = (cells: readonly (string | number)[]): void => console.log(`| ${cells.join(" | ")} |`);

/** Millions of instructions of one start over that of an empty Worker. */
async function countStarts(): Promise<void> {
  const start = (script: string, text: string): Promise<number> =>
    countInstructions({ script, text, copies: ISOLATES }, () => sleep(SETTLE_MS));
  const scripts = [
    { name: "the bundle read, in a function that nobody calls", script: await readWorker() },
    { name: "the shipped Worker", script: await shippedWorker() },
  ];
  print(["start of an isolate, over an empty Worker", "million instructions"]);
  print(["---", "--:"]);
  for (const { name, script } of scripts) {
    const own = (await start(script, EMPTY)) - (await start(EMPTY, script));
    print([name, (own / ISOLATES / 1_000_000).toFixed(2)]);
  }
}

interface Subject {
  readonly name: string;
  readonly options: BenchWorkerOptions;
  /** The tokens of a run, in turn. */
  readonly tokens: () => () => string;
  readonly duties?: number;
}

/** What one of the counted requests takes: a run with them, less one without them. Both run at once, since they count. */
async function countRequest({ options, tokens, duties }: Subject): Promise<number> {
  const run = (count: number): Promise<number> =>
    countInstructions(options, async ({ url }) => {
      const next = tokens();
      if (duties !== undefined) await fetch(`${url}/duties/${duties}`);
      await sendRequests(url, count, CONCURRENCY, () => requestHead(TARGET, next(), "browser"));
    });
  const [all, warmUp] = await Promise.all([run(WARM_UP + REQUESTS), run(WARM_UP)]);
  return (all - warmUp) / REQUESTS;
}

/** Thousands of instructions of a whole request: of the duties one by one, and of the gateway. */
async function countRequests(): Promise<void> {
  const signer = await createSigner();
  const issuedAt = Math.floor(Date.now() / 1000) - 60;
  const tokens = await manyOf(KNOWN_TOKENS + WARM_UP + REQUESTS, () => idToken(signer, issuedAt));
  const origin = await startOrigin(signer.jwks);
  const known = () => ring(tokens.slice(0, KNOWN_TOKENS));
  const firstSeen = () => ring(tokens.slice(KNOWN_TOKENS));
  const mostlyKnown = () => mixed(known(), firstSeen());
  const parts = await undecidedParts(origin);
  const hand = await byHand(origin, signer.jwks);
  const edge = { script: await bundle(gatewayEntry(ROUTES)), ...gatewayBindings(origin) };
  const subjects: Subject[] = [
    ...DUTIES.map((name, duties) => ({ name, options: parts, tokens: known, duties })),
    { name: "by hand, known token", options: hand, tokens: known },
    { name: "gateway, known token", options: edge, tokens: known },
    { name: "by hand, first-seen token", options: hand, tokens: firstSeen },
    { name: "gateway, first-seen token", options: edge, tokens: firstSeen },
    { name: "by hand, 95 % known tokens", options: hand, tokens: mostlyKnown },
    { name: "gateway, 95 % known tokens", options: edge, tokens: mostlyKnown },
    {
      name: "the same with jose and itty-router in each request",
      options: await gatewayWithJose(origin, signer.jwks),
      tokens: mostlyKnown,
    },
  ];
  try {
    print(["whole request", "thousand instructions", "over pass-through"]);
    print(["---", "--:", "--:"]);
    let passThrough: number | undefined;
    for (const subject of subjects) {
      const own = await countRequest(subject);
      passThrough ??= own;
      print([subject.name, Math.round(own / 1000).toLocaleString("en-US"), (own / passThrough).toFixed(2)]);
    }
  } finally {
    origin.close();
  }
}

const { values } = parseArgs({
  options: { help: { type: "boolean", short: "h" } },
});
if (values.help) console.log(USAGE);
else {
  try {
    execFileSync("valgrind", ["--version"], { stdio: "ignore" });
  } catch {
    console.error("valgrind is not installed; on Debian and Ubuntu: apt-get install valgrind");
    process.exit(1);
  }
  await countStarts();
  console.log();
  await countRequests();
}
