import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { environmentTitle, findWranglerConfig, readWranglerConfig } from "./wrangler-config.ts";
import { runWrangler } from "./wrangler-process.ts";

/** Bytes of the uploaded script after gzip: a cold start loads all of it. */
const MAX_GZIP_BYTES = 25_000;

/** Warnings of wrangler that are understood and harmless: what they say, and why they may stay. None yet. */
const EXPLAINED_WARNINGS: readonly { readonly says: RegExp; readonly reason: string }[] = [];

const WARNING = /▲ \[(?:WARNING|ERROR)\]/;

/** Warnings and errors in wrangler's output, each with the lines that belong to it. */
function warningsIn(output: string): string[] {
  return output
    .split(/(?=▲ \[)/)
    .filter((part) => WARNING.test(part))
    .map((part) => part.replace(WARNING, "").replace(/\s+/g, " ").trim())
    .filter((text) => !EXPLAINED_WARNINGS.some(({ says }) => says.test(text)));
}

/** What is uploaded as code: the script and its modules, not the source maps and wrangler's README. */
async function uploadedScripts(folder: string): Promise<Buffer[]> {
  const names = (await readdir(folder)).filter((name) => !name.endsWith(".map") && name !== "README.md");
  return Promise.all(names.map((name) => readFile(join(folder, name))));
}

/** Bundles one environment as a deploy would, uploads nothing, and returns what is wrong with it. */
async function checkEnvironment(folder: string, name: string | undefined, title: string): Promise<string[]> {
  const outdir = await mkdtemp(join(tmpdir(), "edge-bundle-"));
  try {
    const run = await runWrangler(["deploy", "--dry-run", "--outdir", outdir, "--env", name ?? ""], {
      folder,
    });
    const faults = warningsIn(run.stdout + run.stderr).map((text) => `wrangler warns: ${text}`);
    if (run.exitCode !== 0) return [...faults, `wrangler deploy --dry-run ended with ${run.exitCode}`];
    const scripts = await uploadedScripts(outdir);
    const bytes = scripts.reduce((sum, script) => sum + script.length, 0);
    const gzipBytes = scripts.reduce((sum, script) => sum + gzipSync(script).length, 0);
    const share = ((gzipBytes / MAX_GZIP_BYTES) * 100).toFixed(0);
    console.log(`${title}: ${bytes} bytes, ${gzipBytes} after gzip, ${share} % of ${MAX_GZIP_BYTES}`);
    if (gzipBytes > MAX_GZIP_BYTES)
      faults.push(`the bundle is larger than ${MAX_GZIP_BYTES} bytes after gzip: look for a new dependency`);
    return faults;
  } finally {
    await rm(outdir, { recursive: true, force: true });
  }
}

async function main(): Promise<number> {
  const file = findWranglerConfig();
  const config = file === undefined ? undefined : readWranglerConfig(file);
  if (config === undefined || !config.ok) {
    console.error(config === undefined ? "There is no wrangler.toml here." : config.faults.join("\n"));
    return 1;
  }
  let exitCode = 0;
  for (const environment of config.value.environments) {
    const title = environmentTitle(environment);
    for (const fault of await checkEnvironment(config.value.folder, environment.name, title)) {
      console.error(`${title}: ${fault}`);
      exitCode = 1;
    }
  }
  return exitCode;
}

process.exitCode = await main();
