#!/usr/bin/env node
import { Command, CommanderError, Option } from "commander";
import * as check from "./check.ts";
import { RefusedError, UsageError } from "./context.ts";
import * as doctor from "./doctor.ts";
import * as explain from "./explain.ts";
import * as m2m from "./m2m.ts";
import * as report from "./report.ts";
import * as revocations from "./revocations.ts";
import * as smoke from "./smoke.ts";
import * as token from "./token.ts";

const DESCRIPTION = `The operator's command of edge-authorizer.

Run it in the folder of the project, or below: it reads wrangler.toml and src/policy.ts there.
Exit code 0: done; 1: refused or failed; 2: bad usage.`;

const EXAMPLES = `
Examples:
  npx edge check                                             is the configuration what it should be?
  npx edge m2m grant CLIENT acme --role agent --env dev      let a machine act for a tenant
  npx edge revoke sub SUBJECT --env production --remote      end every session of a person
  npx edge explain --env dev --method GET --path /v1/x       what does the gateway do, and why?
  npx edge help m2m                                          more about a command`;

const COMMANDS = [check, doctor, explain, m2m, report, revocations, smoke, token];

/** The terminal's own, up to what can be read in one look. */
const helpWidth = (): number => Math.min(process.stdout.columns ?? 120, 120);

function createProgram(): Command {
  const program = new Command("edge")
    .description(DESCRIPTION)
    .option("--env <name>", "environment of wrangler.toml")
    .addOption(
      new Option("--local", "KV of this machine, as wrangler dev has it (default)").conflicts("remote"),
    )
    .option("--remote", "KV of Cloudflare")
    .option("--json", "print one JSON document on standard output, and nothing else there")
    .option("--yes", "change without asking")
    .configureHelp({
      showGlobalOptions: true,
      // the list of commands has a line for each; a command's own help says it all
      subcommandDescription: (command) => command.description().split("\n")[0] ?? "",
    })
    .configureOutput({ getOutHelpWidth: helpWidth, getErrHelpWidth: helpWidth })
    .showHelpAfterError("(--help says more)")
    .addHelpText("after", EXAMPLES)
    .exitOverride();
  for (const { register } of COMMANDS) register(program);
  return program;
}

/** What went wrong, for the user; and for a program where it has asked for JSON. */
function tell(error: unknown, json: boolean): number {
  const isUsage = error instanceof UsageError || error instanceof CommanderError;
  const isExpected = isUsage || error instanceof RefusedError;
  const message = error instanceof Error ? error.message : String(error);
  if (!(error instanceof CommanderError)) process.stderr.write(`error: ${message}\n`); // which has been told
  if (!isExpected) {
    process.stderr.write("This is not an error that edge expects. EDGE_DEBUG=1 shows where it came from.\n");
    if (process.env["EDGE_DEBUG"] === "1" && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  }
  const kind = isUsage ? "usage" : isExpected ? "refused" : "failed";
  if (json) process.stdout.write(`${JSON.stringify({ ok: false, error: kind, message }, null, 2)}\n`);
  return isUsage ? 2 : 1;
}

async function main(args: readonly string[]): Promise<void> {
  try {
    await createProgram().parseAsync(args, { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return; // help was asked for
    process.exitCode = tell(error, args.includes("--json"));
  }
}

await main(process.argv.slice(2));
