import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { checkProject } from "./check-project.ts";
import { findingLine, hasErrors } from "./finding.ts";
import { environmentTitle, findWranglerConfig, readWranglerConfig } from "./wrangler-config.ts";
import { runWrangler } from "./wrangler-process.ts";

/** Options of wrangler that would deploy something else than what was checked. */
const UNCHECKED = ["config", "c", "var", "define"];

const USAGE = "usage: npm run deploy -- --env NAME [options of wrangler deploy, such as --dry-run]";

/** What was asked for, or why it cannot be done. */
function readArguments(args: readonly string[]): { env: string } | { fault: string } {
  const { values } = parseArgs({
    args: [...args],
    options: { env: { type: "string", short: "e" } },
    strict: false, // all others are wrangler's
  });
  const unchecked = UNCHECKED.find((name) => values[name] !== undefined);
  if (unchecked !== undefined)
    return {
      fault: `${unchecked.length === 1 ? "-" : "--"}${unchecked} would deploy what nobody has checked; change wrangler.toml instead`,
    };
  if (typeof values["env"] !== "string" || values["env"] === "")
    return { fault: "name the environment: --env NAME" };
  return { env: values["env"] };
}

function environmentNames(): string {
  const file = findWranglerConfig();
  const config = file === undefined ? undefined : readWranglerConfig(file);
  if (!config?.ok) return "";
  return `\nwrangler.toml has: ${config.value.environments.map(environmentTitle).join(", ")}`;
}

async function main(args: readonly string[]): Promise<number> {
  const asked = readArguments(args);
  if ("fault" in asked) {
    console.error(`${asked.fault}${environmentNames()}\n${USAGE}`);
    return 2;
  }
  const { findings } = await checkProject({ env: asked.env, forDeploy: true });
  for (const finding of findings) console.error(findingLine(finding));
  if (hasErrors(findings)) {
    console.error("Nothing was deployed: mend the errors above first.");
    return 1;
  }
  const file = findWranglerConfig();
  const folder = file === undefined ? process.cwd() : dirname(file);
  const run = await runWrangler(["deploy", ...args], { folder, interactive: true });
  return run.exitCode;
}

process.exitCode = await main(process.argv.slice(2));
