import { build } from "esbuild";
import { Miniflare } from "miniflare";
import type { Policy } from "../../src/core/policy/schema.ts";
import { leaksIn } from "./secrets.ts";
import "./runtime-output.ts"; // what every runtime prints is looked through at the end of each file

const ROOT = new URL("../../", import.meta.url).pathname;
const COMPATIBILITY_DATE = "2026-08-01";

/** An entry as an adopter would write it: `createWorker` of a policy. */
const plainEntry = (policy: string): string =>
  `import { createWorker } from "./src/index.ts"; export default createWorker(${policy});`;

/** The runtime says nothing of a rejection that nobody handles. */
const TELL_UNHANDLED =
  'addEventListener("unhandledrejection", ({ reason }) => console.error("unhandled rejection:", reason));';

/** Bundles an entry. */
async function bundle(entry: string): Promise<string> {
  const result = await build({
    stdin: { contents: entry, resolveDir: ROOT, loader: "ts" },
    bundle: true,
    format: "esm",
    target: "es2024",
    write: false,
    logLevel: "silent",
    banner: { js: TELL_UNHANDLED },
  });
  return result.outputFiles[0]?.text ?? "";
}

/** One log line of the Worker, parsed. */
export type LogLine = Readonly<Record<string, unknown>>;

/** The real bundle in real workerd. */
export interface TestGateway {
  readonly url: string;
  /** Log lines of the Worker so far, in their order: decisions and notices. */
  readonly logs: LogLine[];
  /** Everything that the runtime printed. */
  readonly output: string[];
  /** Decision lines only. */
  decisions(): LogLine[];
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** A KV namespace of it: what the Worker sees. */
  kv(binding: string): Promise<KVNamespaceLike>;
  /** Runs the cron handler. */
  runCron(): Promise<void>;
  /** Stops it; rejects where anything that it printed holds a secret of the tests. */
  close(): Promise<void>;
}

/** As much of a KV namespace as tests use. */
export interface KVNamespaceLike {
  get(key: string): Promise<string | null>;
  put(key: string, value: string, options?: { metadata?: unknown; expirationTtl?: number }): Promise<void>;
  delete(key: string): Promise<void>;
}

/** What a test sets. */
export interface GatewayOptions {
  readonly policy: Policy | Record<string, unknown>;
  /** Variables and secrets: strings as text, all else as JSON. */
  readonly vars: Readonly<Record<string, unknown>>;
  /** KV bindings; default `JWKS` and `M2M_TENANTS`. */
  readonly namespaces?: readonly string[];
  /** Rate limits by binding: requests in a minute. */
  readonly rateLimits?: Readonly<Record<string, number>>;
  /** Folder that KV persists in, for two gateways over the same data. */
  readonly kvPersist?: string;
  /**
   * True: workerd also tells what it keeps to itself otherwise, uncaught exceptions and rejected deferred work;
   * it then quotes header values too. Default false, as in production.
   */
  readonly verbose?: boolean;
  /** Source of another entry than the adopter's, for a policy as JSON; imports are relative to the repository. */
  readonly entry?: (policy: string) => string;
}

function parseLines(text: string, logs: LogLine[], output: string[]): void {
  output.push(text);
  for (const line of text.split("\n")) {
    if (!line.startsWith("{")) continue;
    try {
      logs.push(JSON.parse(line));
    } catch {
      // not one of ours: it stays in `output`
    }
  }
}

/** Starts a gateway in workerd on a free port of loopback. */
export async function startGateway(options: GatewayOptions): Promise<TestGateway> {
  const logs: LogLine[] = [];
  const output: string[] = [];
  const bindings = Object.fromEntries(
    Object.entries(options.vars).map(([name, value]) => [
      name,
      typeof value === "string" ? { type: "text", value } : { type: "json", value },
    ]),
  );
  const namespaces = Object.fromEntries(
    (options.namespaces ?? ["JWKS", "M2M_TENANTS"]).map((name) => [name, { type: "kv", id: name }]),
  );
  const limits = Object.fromEntries(
    Object.entries(options.rateLimits ?? {}).map(([name, limit], index) => [
      name,
      { type: "rate-limit", namespace: String(1001 + index), simple: { limit, period: 60 } },
    ]),
  );
  const contents = await bundle((options.entry ?? plainEntry)(JSON.stringify(options.policy)));
  const miniflare = new Miniflare({
    cf: false,
    host: "127.0.0.1",
    port: 0,
    verbose: options.verbose ?? false,
    handleStructuredLogs: ({ message }: { message: string }) => parseLines(message, logs, output),
    handleUncaughtError: (error: Error) => output.push(`uncaught: ${error.message}`),
    ...(options.kvPersist && { resourcePersistencePath: options.kvPersist }),
    workers: [
      {
        config: {
          name: "gateway",
          compatibilityDate: COMPATIBILITY_DATE,
          manifest: { mainModule: "index.js", modules: { "index.js": { type: "esm", contents } } },
          env: { ...bindings, ...namespaces, ...limits },
        },
      },
    ],
  } as unknown as ConstructorParameters<typeof Miniflare>[0]);
  const url = (await miniflare.ready).origin;
  return {
    url,
    logs,
    output,
    decisions: () => logs.filter(({ event }) => event === "decision"),
    fetch: (path, init) => fetch(url + path, { redirect: "manual", ...init }),
    kv: async (binding) => (await miniflare.getKVNamespace(binding)) as unknown as KVNamespaceLike,
    async runCron() {
      const worker = await miniflare.getWorker();
      await worker.scheduled({ cron: "*/5 * * * *" });
    },
    async close() {
      await miniflare.dispose();
      const leaks = leaksIn(output.join("\n"));
      if (leaks.length > 0) throw new Error(`the runtime has printed secrets: ${leaks.join(", ")}`);
    },
  };
}
