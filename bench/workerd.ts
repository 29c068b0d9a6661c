import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { build } from "esbuild";
import { processCpuNs } from "./process-cpu.ts";

const ROOT = new URL("../", import.meta.url).pathname;
const COMPATIBILITY_DATE = "2026-08-01";
const START_LIMIT_MS = 30_000;

// the very binary that wrangler and miniflare run
const workerdBinary = (): string => {
  const { default: path } = createRequire(createRequire(import.meta.url).resolve("miniflare"))("workerd");
  return String(path);
};

/** A Worker in a workerd process of its own, with nothing of miniflare's around it. */
export interface BenchWorker {
  readonly url: string;
  /** `host:port` of the inspector, where it was asked for. */
  readonly inspector: string | undefined;
  /** Nanoseconds of CPU of the process so far. */
  cpuNs(): number;
  close(): Promise<void>;
}

/** What a Worker is started with. */
export interface BenchWorkerOptions {
  /** ES module, complete. */
  readonly script: string;
  /** Strings as text, all else as JSON. */
  readonly vars?: Readonly<Record<string, unknown>>;
  /** KV bindings. They are empty, and forget what is put. */
  readonly namespaces?: readonly string[];
  /** A text module beside it, which nothing imports. */
  readonly text?: string;
  /** Copies of the Worker in the same process, each in an isolate of its own; default 1. */
  readonly copies?: number;
  readonly inspector?: boolean;
  readonly v8Flags?: readonly string[];
  /** A command that runs workerd, such as a profiler, with its arguments; default: none. */
  readonly under?: readonly string[];
  /** Is told of what the Worker logs; default: nobody, it is written to nowhere. */
  readonly onLog?: (text: string) => void;
}

/** Bundles the source of an entry, as an adopter's own build would; imports are relative to the repository. */
export async function bundle(
  contents: string,
  minify = false,
  format: "esm" | "iife" = "esm",
): Promise<string> {
  const result = await build({
    stdin: { contents, resolveDir: ROOT, loader: "ts" },
    bundle: true,
    format,
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    minify,
    write: false,
    logLevel: "silent",
  });
  return result.outputFiles[0]?.text ?? "";
}

/** Stands for KV and for the Cache API: nothing is found, everything may be written. */
const EMPTY_STORE = `export default {
  async fetch(request) {
    await request.arrayBuffer();
    const status = request.method === "GET" ? 404 : 204;
    return new Response(null, { status, headers: { "cf-cache-status": "MISS" } });
  },
};`;

const quote = (value: unknown): string =>
  JSON.stringify(typeof value === "string" ? value : JSON.stringify(value));

/** A configuration of workerd (its `workerd.capnp`): the Worker, its bindings, a socket, the network. */
function configOf({ vars = {}, namespaces = [], copies = 1, v8Flags = [] }: BenchWorkerOptions): string {
  const bindings = [
    ...Object.entries(vars).map(
      ([name, value]) =>
        `(name = "${name}", ${typeof value === "string" ? "text" : "json"} = ${quote(value)})`,
    ),
    ...namespaces.map((name) => `(name = "${name}", kvNamespace = "store")`),
  ];
  const workers = Array.from(
    { length: copies },
    (_, index) => `(name = "worker-${index}", worker = (
      modules = [
        (name = "index.js", esModule = embed "index.js"),
        (name = "text.txt", text = embed "text.txt"),
      ],
      compatibilityDate = "${COMPATIBILITY_DATE}",
      bindings = [${bindings.join(", ")}],
      globalOutbound = "network",
      cacheApiOutbound = "store",
    ))`,
  );
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    ${workers.join(",\n    ")},
    (name = "network", network = (allow = ["public", "private"])),
    (name = "store", worker = (
      modules = [(name = "store.js", esModule = embed "store.js")],
      compatibilityDate = "${COMPATIBILITY_DATE}",
    )),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "worker-0")],
  v8Flags = ${JSON.stringify(v8Flags)},
);`;
}

interface Listening {
  readonly port: number;
  readonly inspectorPort: number | undefined;
}

/** Waits until workerd has said on which ports it listens. */
function listening(child: ChildProcess, control: Readable, wantsInspector: boolean): Promise<Listening> {
  return new Promise((resolve, reject) => {
    let inspectorPort: number | undefined;
    const timer = setTimeout(() => reject(new Error("workerd has not started in time")), START_LIMIT_MS);
    child.once("exit", (code) => {
      clearTimeout(timer);
      reject(new Error(`workerd ended with ${code}`));
    });
    createInterface({ input: control }).on("line", (line) => {
      const { event, port } = JSON.parse(line) as { event: string; port: number };
      if (event === "listen-inspector") inspectorPort = port;
      if (event !== "listen" || (wantsInspector && inspectorPort === undefined)) return;
      clearTimeout(timer);
      resolve({ port, inspectorPort });
    });
  });
}

/** Starts a Worker. Linux only. */
export async function startWorker(options: BenchWorkerOptions): Promise<BenchWorker> {
  const folder = await mkdtemp(join(tmpdir(), "edge-bench-"));
  await writeFile(join(folder, "index.js"), options.script);
  await writeFile(join(folder, "text.txt"), options.text ?? "");
  await writeFile(join(folder, "store.js"), EMPTY_STORE);
  await writeFile(join(folder, "config.capnp"), configOf(options));
  const inspector = options.inspector === true ? ["--inspector-addr=127.0.0.1:0"] : [];
  const serve = ["serve", "--experimental", "--control-fd=3", ...inspector, join(folder, "config.capnp")];
  const [command = "", ...rest] = [...(options.under ?? []), workerdBinary(), ...serve];
  const child = spawn(command, rest, {
    stdio: ["ignore", options.onLog === undefined ? "ignore" : "pipe", "inherit", "pipe"],
  });
  child.stdout?.setEncoding("utf8").on("data", (text: string) => options.onLog?.(text));
  const killOnExit = (): void => void child.kill(); // also where the benchmark itself fails
  process.once("exit", killOnExit);
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const { port, inspectorPort } = await listening(child, child.stdio[3] as Readable, inspector.length > 0);
  const pid = child.pid ?? 0;
  return {
    url: `http://127.0.0.1:${port}`,
    inspector: inspectorPort === undefined ? undefined : `127.0.0.1:${inspectorPort}`,
    cpuNs: () => processCpuNs(pid),
    async close() {
      process.removeListener("exit", killOnExit);
      child.kill();
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
