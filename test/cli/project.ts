import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const ROOT = new URL("../../", import.meta.url).pathname;
/** Node keeps compiled modules here, which halves the start of each of the many processes. */
const COMPILE_CACHE = join(ROOT, "node_modules/.cache/node-compile");

/** How a process ended, and what it printed. */
export interface Run {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** How a process is started. */
export interface RunOptions {
  readonly cwd?: string;
  /** Standard input; default: none. */
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Told of everything that the process prints to stderr, as it comes. */
  readonly onStderr?: (text: string) => void;
  /** Answers the first question that the process asks; what it returns is the input, beside `input`. */
  readonly onQuestion?: () => Promise<string>;
}

/** Runs a script of the repository with this Node, as `npx` and `npm run` do. */
export function runScript(script: string, args: readonly string[], options: RunOptions = {}): Promise<Run> {
  const child = spawn(process.execPath, [join(ROOT, script), ...args], {
    cwd: options.cwd ?? ROOT,
    env: {
      ...process.env,
      NO_COLOR: "1",
      NODE_COMPILE_CACHE: COMPILE_CACHE,
      WRANGLER_SEND_METRICS: "false",
      ...options.env,
    },
    stdio: ["pipe", "pipe", "pipe"],
  });
  const printed = { stdout: "", stderr: "" };
  let isAsked = false;
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    printed.stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    printed.stderr += text;
    options.onStderr?.(printed.stderr);
    if (isAsked || options.onQuestion === undefined || !printed.stderr.includes("[y/N]")) return;
    isAsked = true;
    options.onQuestion().then((answer) => child.stdin.end(answer));
  });
  child.stdin.on("error", () => undefined); // a process that reads nothing may be gone
  if (options.onQuestion === undefined) child.stdin.end(options.input ?? "");
  return new Promise((resolve) => child.once("close", (exitCode) => resolve({ exitCode, ...printed })));
}

/** Runs `edge`. */
export const edge = (args: readonly string[], options?: RunOptions): Promise<Run> =>
  runScript("src/cli/edge.ts", args, options);

/** A project of an adopter, in a folder of its own. */
export interface TestProject {
  readonly folder: string;
  write(path: string, content: string): Promise<string>;
  remove(): Promise<void>;
}

/** The policy's file as an adopter writes it. */
export const policySource = (policy: unknown): string =>
  `import { definePolicy } from ${JSON.stringify(join(ROOT, "src/index.ts"))};\nexport default definePolicy(${JSON.stringify(policy)});\n`;

const WORKER = `import { createWorker } from ${JSON.stringify(join(ROOT, "src/index.ts"))};
import policy from "./policy.ts";
export default createWorker(policy);
`;

/** Makes a project of a `wrangler.toml` and a policy. */
export async function createProject(wranglerToml: string, policy: unknown): Promise<TestProject> {
  const folder = await mkdtemp(join(tmpdir(), "edge-test-"));
  const write = async (path: string, content: string): Promise<string> => {
    const file = join(folder, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content);
    return file;
  };
  await write("wrangler.toml", wranglerToml);
  await write("src/policy.ts", policySource(policy));
  await write("src/worker.ts", WORKER);
  return { folder, write, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** A `wrangler.toml` of which nothing can be said: environment `dev`, complete. */
export const wranglerToml = (vars = "", more = ""): string => `name = "gateway"
main = "src/worker.ts"
compatibility_date = "2026-08-01"
workers_dev = false
minify = true
keep_names = false

[triggers]
crons = ["*/5 * * * *"]

[env.dev]
routes = [{ pattern = "api.example.com", custom_domain = true }]
${more}

[env.dev.vars]
ORIGIN_URL = "https://abc.execute-api.us-east-2.amazonaws.com"
${vars || 'USER_POOLS = [{ id = "us-east-2_Ab12Cd34E", client_ids = ["app-client"] }]'}

[[env.dev.kv_namespaces]]
binding = "JWKS"
id = "11111111111111111111111111111111"

[[env.dev.kv_namespaces]]
binding = "M2M_TENANTS"
id = "22222222222222222222222222222222"

[[env.dev.kv_namespaces]]
binding = "REVOCATIONS"
id = "33333333333333333333333333333333"

[[env.dev.ratelimits]]
name = "PUBLIC_RATE_LIMIT"
namespace_id = "1001"
simple = { limit = 100, period = 60 }

[[env.dev.ratelimits]]
name = "TENANT_RATE_LIMIT"
namespace_id = "1002"
simple = { limit = 6000, period = 60 }
`;

/** The members of a JSON answer. */
export const parseJson = (text: string): Record<string, unknown> => JSON.parse(text);

/** For tests that run wrangler several times: a second each on an idle machine, many on a busy one. */
export const WRANGLER_TIMEOUT_MS = 600_000;
