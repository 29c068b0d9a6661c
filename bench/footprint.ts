import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { requestHead } from "./headers.ts";
import { createInspector } from "./inspector.ts";
import { sendRequests } from "./load.ts";
import { CLIENT_ID, ORIGIN_URL, POOL_ID } from "./pool.ts";
import type { Measurement } from "./result.ts";
import type { Scale } from "./scale.ts";
import type { Signer } from "./tokens.ts";
import { bundle, startWorker } from "./workerd.ts";

/** A Worker that has nothing to start. */
export const EMPTY = "export default { fetch() { return new Response(null); } };";
const SETTLE_MS = 300; // for V8's threads to end what the start has given them
const TOKENS_A_REQUEST = 500;
const VARS = {
  ORIGIN_URL,
  CORS_ORIGINS: ["https://app.example.com"],
  USER_POOLS: [{ id: POOL_ID, client_ids: [CLIENT_ID] }],
};

/** The shipped Worker, as it is deployed. */
export const shippedWorker = (): Promise<string> =>
  bundle('export { default } from "./src/worker.ts";', true);

/**
 * CPU milliseconds of a process that has started `isolates` copies of a script, and answered nothing. `text` stands
 * beside each: to read a configuration takes time by its length, and that is no part of an isolate's start.
 */
async function startCpuMs(script: string, text: string, isolates: number): Promise<number> {
  const started = await startWorker({ script, text, copies: isolates });
  await sleep(SETTLE_MS);
  const ms = started.cpuNs() / 1_000_000;
  await started.close();
  return ms;
}

/** What no start can do without, and no more: the bundle is read, in a function that nobody calls. */
export async function readWorker(): Promise<string> {
  const unused = await bundle('export { default } from "./src/worker.ts";', true, "iife");
  return `function unused() { ${unused} } ${EMPTY}`;
}

/** Start-up: many isolates of the shipped Worker at once, less as many of an empty one, for each of them. */
async function measureStartUp(scale: Scale): Promise<Measurement[]> {
  const workload = "start-up CPU over an empty Worker";
  const samples = [
    { contender: "edge", workload, script: await shippedWorker(), perIsolate: [] as number[] },
    {
      contender: "floor",
      workload: `${workload}: the bundle read`,
      script: await readWorker(),
      perIsolate: [] as number[],
    },
  ];
  for (let start = 0; start < scale.starts; start += 1)
    for (const { script, perIsolate } of samples) {
      const empty = await startCpuMs(EMPTY, script, scale.isolates);
      perIsolate.push(((await startCpuMs(script, EMPTY, scale.isolates)) - empty) / scale.isolates);
    }
  return samples.map(({ contender, workload, perIsolate }) => ({
    group: "footprint",
    contender,
    workload,
    unit: "ms",
    value: perIsolate,
  }));
}

/** Answers and logs at once, so that what the runtime's own console loads for its first line is no part of the row. */
const ANSWERING =
  'export default { fetch() { console.log("{}"); return new Response(null, { status: 401 }); } };';

/** CPU milliseconds of a first request, which brings no token worth the name. */
async function firstRequestMs(script: string): Promise<number> {
  const started = await startWorker({ script, vars: VARS, namespaces: ["JWKS", "M2M_TENANTS"] });
  await sleep(SETTLE_MS);
  const before = started.cpuNs();
  await sendRequests(started.url, 1, 1, () => requestHead("/v1/x", "no-token", "browser"), 401);
  await sleep(SETTLE_MS);
  const ms = (started.cpuNs() - before) / 1_000_000;
  await started.close();
  return ms;
}

/** What is not made at the start is made with the first request: the variables are read, most code is compiled. */
async function measureFirstRequest(scale: Scale): Promise<Measurement> {
  const script = await shippedWorker();
  const samples: number[] = [];
  for (let round = 0; round < scale.rounds; round += 1) {
    const answering = await firstRequestMs(ANSWERING);
    samples.push((await firstRequestMs(script)) - answering);
  }
  return {
    group: "footprint",
    contender: "edge",
    workload: "first request of an isolate, refused, CPU over a Worker that answers and logs at once",
    unit: "ms",
    value: samples,
  };
}

async function measureBundle(): Promise<Measurement> {
  const value = [gzipSync(await shippedWorker()).length];
  return { group: "footprint", contender: "edge", workload: "bundle, minified, gzip", unit: "bytes", value };
}

/** What the cache holds on to, as the isolate's own heap tells, garbage collected before and after. */
async function measureMemory(signer: Signer, tokens: readonly string[]): Promise<Measurement> {
  const script = await bundle('export { default } from "./bench/memory-worker.ts";');
  const started = await startWorker({
    script,
    vars: { JWKS: signer.jwks },
    inspector: true,
    v8Flags: ["--expose-gc"],
  });
  try {
    const send = async (batch: readonly string[]): Promise<void> => {
      const response = await fetch(started.url, { method: "POST", body: batch.join("\n") });
      if (!response.ok) throw new Error(`the tokens were not taken: ${await response.text()}`);
    };
    await send(tokens.slice(0, 1)); // keys imported, code compiled
    const inspector = await createInspector(`ws://${started.inspector}/worker-0`);
    const heapBytes = async (): Promise<number> => {
      for (let pass = 0; pass < 3; pass += 1) await (await fetch(started.url)).text();
      return inspector.heapBytes();
    };
    const before = await heapBytes();
    for (let from = 0; from < tokens.length; from += TOKENS_A_REQUEST)
      await send(tokens.slice(from, from + TOKENS_A_REQUEST));
    const megabytes = ((await heapBytes()) - before) / 1_000_000;
    inspector.close();
    return {
      group: "footprint",
      contender: "edge",
      workload: `memory of ${tokens.length.toLocaleString("en-US")} known tokens`,
      unit: "MB",
      value: [megabytes],
    };
  } finally {
    await started.close();
  }
}

/** Bundle size, start-up, first request, and memory. */
export async function measureFootprint(
  signer: Signer,
  tokens: readonly string[],
  scale: Scale,
): Promise<Measurement[]> {
  return [
    await measureBundle(),
    ...(await measureStartUp(scale)),
    await measureFirstRequest(scale),
    await measureMemory(signer, tokens),
  ];
}
