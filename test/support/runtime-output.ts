import type { ChildProcess } from "node:child_process";
import { subscribe } from "node:diagnostics_channel";
import { basename } from "node:path";
import type { Readable } from "node:stream";
import { leaksIn } from "./secrets.ts";

/** What a runtime process of this one has printed on both of its streams, byte for byte. */
interface Printed {
  chunks: string[];
  readonly child: ChildProcess;
  /** Resolves once both streams have ended. */
  readonly ended: Promise<unknown>;
}

const runtimes: Printed[] = [];

const endOf = (stream: Readable): Promise<unknown> =>
  new Promise((resolve) => stream.once("close", resolve).once("end", resolve));

function watch(child: ChildProcess): void {
  const { stdout, stderr } = child;
  if (basename(child.spawnfile ?? "") !== "workerd" || stdout === null || stderr === null) return;
  const printed: Printed = { chunks: [], child, ended: Promise.all([stdout, stderr].map(endOf)) };
  for (const stream of [stdout, stderr])
    stream.on("data", (chunk: Buffer) => printed.chunks.push(chunk.toString("latin1")));
  runtimes.push(printed);
}

// Node tells of each process before its streams are there; whoever has started it reads them beside us.
subscribe("child_process", (message) => {
  const { process: child } = message as { process: ChildProcess };
  process.nextTick(() => watch(child));
});

const isOver = ({ child }: Printed): boolean => child.exitCode !== null || child.signalCode !== null;

/**
 * Hands over, once, everything that the workerd processes of this one have printed since the last time: standard
 * output and standard error, whether or not a line of the log, and of whoever has started them.
 */
export async function takeRuntimeOutput(): Promise<string> {
  const pause = new Promise((resolve) => setTimeout(resolve, 1_000).unref());
  await Promise.race([Promise.all(runtimes.filter(isOver).map(({ ended }) => ended)), pause]);
  const texts = runtimes.map(({ chunks }) => chunks.join(""));
  for (const printed of runtimes) printed.chunks = [];
  return texts.join("\n");
}

if (process.env["VITEST"] !== undefined) {
  const { afterAll } = await import("vitest");
  // registered first, so it runs last: after the hooks that stop the gateways
  afterAll(async () => {
    const leaks = leaksIn(await takeRuntimeOutput());
    if (leaks.length > 0) throw new Error(`the runtime has printed secrets: ${leaks.join(", ")}`);
  });
}
