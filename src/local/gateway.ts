import { join } from "node:path";
import { build, stop as stopEsbuild } from "esbuild";
import { Miniflare, type MiniflareOptions } from "miniflare";
import { StartError } from "./ports.ts";
import type { WorkerSettings } from "./worker-settings.ts";

/** As much of a KV namespace as the local stack uses. */
export interface KvNamespace {
  get(key: string): Promise<string | null>;
  put(key: string, value: string): Promise<void>;
  delete(key: string): Promise<void>;
  /** At most 1,000 names; ask again until `list_complete`. */
  list(): Promise<{ readonly keys: readonly { readonly name: string }[]; readonly list_complete: boolean }>;
}

/** The gateway, in workerd. */
export interface Gateway {
  /** `http://127.0.0.1:<port>`. */
  readonly url: string;
  kv(binding: string): Promise<KvNamespace>;
  /** What Cloudflare does at the times of `triggers.crons`; workerd alone never does. */
  runCron(): Promise<void>;
}

/** What a gateway runs with. */
export interface GatewayOptions {
  /** 0 takes a free port. */
  readonly port: number;
  readonly settings: WorkerSettings;
  /** Variables and secrets in place of those of the settings. */
  readonly vars: Readonly<Record<string, unknown>>;
  /** Is given every line that the Worker logs. */
  readonly onLog: (line: string) => void;
}

/** The folder of wrangler's local state that its `--local` commands read and write. */
export const stateFolder = (folder: string): string => join(folder, ".wrangler", "state", "v3");

/** Bundles the Worker with the settings of wrangler's own bundler. */
async function bundle(folder: string): Promise<string> {
  try {
    const { outputFiles } = await build({
      entryPoints: [join(folder, "src", "worker.ts")],
      bundle: true,
      format: "esm",
      target: "es2024",
      conditions: ["workerd", "worker", "browser"],
      write: false,
      logLevel: "silent",
    });
    return outputFiles[0]?.text ?? "";
  } catch (error) {
    throw new StartError(
      `src/worker.ts cannot be bundled: ${error instanceof Error ? error.message : error}`,
    );
  } finally {
    await stopEsbuild(); // else its process lives on beside ours
  }
}

type WorkerEnv = NonNullable<MiniflareOptions["workers"][number]["config"]["env"]>;

function bindingsOf({ kvNamespaces, rateLimits }: WorkerSettings, vars: GatewayOptions["vars"]): WorkerEnv {
  const env: Record<string, WorkerEnv[string]> = {};
  for (const [name, value] of Object.entries(vars)) {
    const plain = JSON.parse(JSON.stringify(value)); // TOML has dates and tables, a Worker is given JSON
    env[name] = typeof plain === "string" ? { type: "text", value: plain } : { type: "json", value: plain };
  }
  for (const [name, id] of Object.entries(kvNamespaces)) env[name] = { type: "kv", id };
  for (const { name, namespaceId, simple } of rateLimits)
    env[name] = { type: "rate-limit", namespace: namespaceId, simple };
  return env;
}

/**
 * Starts `src/worker.ts` in workerd, on loopback, over wrangler's local state. It asks nothing of the internet and
 * makes itself known to no other tool. The process's own end, however it comes, ends workerd. Rejects with a
 * `StartError` that says what workerd said, such as the faults of a policy.
 */
export async function startGateway({ port, settings, vars, onLog }: GatewayOptions): Promise<Gateway> {
  const contents = await bundle(settings.folder);
  const beforeReady: string[] = [];
  let isReady = false;
  const miniflare = new Miniflare({
    host: "127.0.0.1",
    port,
    cf: false, // else it fetches a sample of Request.cf
    enableDevRegistry: false, // else it writes to a folder of all projects of this user
    logRequests: false,
    resourcePersistencePath: stateFolder(settings.folder),
    handleStructuredLogs: ({ message }) => (isReady ? onLog(message) : beforeReady.push(message)),
    workers: [
      {
        config: {
          name: "edge-authorizer",
          compatibilityDate: settings.compatibilityDate,
          compatibilityFlags: [...settings.compatibilityFlags],
          manifest: { mainModule: "worker.js", modules: { "worker.js": { type: "esm", contents } } },
          env: bindingsOf(settings, { ...settings.vars, ...vars }),
        },
      },
    ],
  });
  const { origin } = await miniflare.ready.catch((error: Error) => {
    const reason = beforeReady.join("\n") || error.message;
    throw new StartError(`The gateway does not start in workerd:\n${reason}`);
  });
  isReady = true;
  for (const line of beforeReady) onLog(line);
  return {
    url: origin,
    kv: (binding) => miniflare.getKVNamespace(binding),
    async runCron() {
      await (await miniflare.getWorker()).scheduled({ cron: "*/5 * * * *" });
    },
  };
}
