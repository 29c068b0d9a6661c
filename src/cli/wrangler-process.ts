import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** What a run of wrangler printed, and how it ended. */
export interface WranglerRun {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How wrangler is started. */
export interface WranglerOptions {
  /** Folder of `wrangler.toml`. */
  readonly folder: string;
  /** True: wrangler talks to the terminal itself, and nothing is captured. */
  readonly interactive?: boolean;
}

/** The project's own wrangler, whatever stands in the PATH. */
const WRANGLER = fileURLToPath(new URL("bin/wrangler.js", import.meta.resolve("wrangler/package.json")));

const QUIET = { WRANGLER_SEND_METRICS: "false", WRANGLER_HIDE_BANNER: "true" };
const PLAIN = { ...QUIET, FORCE_COLOR: "0", NO_COLOR: "1" };

// biome-ignore lint/suspicious/noControlCharactersInRegex: colour sequences start with one
const COLOUR = /\u001b\[[0-9;]*m/g;

/** Runs the project's wrangler. Never rejects for an exit code; does for a wrangler that cannot be started. */
export function runWrangler(args: readonly string[], options: WranglerOptions): Promise<WranglerRun> {
  const { folder, interactive = false } = options;
  const child = spawn(process.execPath, [WRANGLER, ...args], {
    cwd: folder,
    stdio: interactive ? "inherit" : ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...(interactive ? QUIET : PLAIN) },
  });
  const printed = { stdout: "", stderr: "" };
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    printed.stdout += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    printed.stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (exitCode) =>
      resolve({
        exitCode: exitCode ?? 1,
        stdout: printed.stdout.replace(COLOUR, ""),
        stderr: printed.stderr.replace(COLOUR, ""),
      }),
    );
  });
}
