import type { Command } from "commander";
import { type CheckResult, checkProject } from "./check-project.ts";
import { globalOptions } from "./context.ts";
import { hasErrors } from "./finding.ts";
import { createOutput } from "./output.ts";
import { counted } from "./printable.ts";

const DESCRIPTION = `Check configuration, policy and environments.

Runs the Worker's own checks over wrangler.toml and src/policy.ts, so that what it would call misconfigured is
found before a deploy, and adds what it cannot see: limits of the platform, routes without a tenant check,
shared namespaces. Exit code 1 on errors.`;

const EXAMPLES = `
Examples:
  npx edge check                             all environments, placeholders allowed
  npx edge check --deploy --env production   may this be deployed as it stands?
  npx edge check --json                      the findings for another program`;

function summary({ environments, findings }: CheckResult): string {
  const count = (level: string): string =>
    counted(findings.filter((finding) => finding.level === level).length, level);
  const scope = environments.length === 0 ? "nothing" : environments.join(", ");
  return `Checked ${scope}: ${count("error")}, ${count("warning")}, ${count("note")}.`;
}

/** Adds `edge check`. */
export function register(program: Command): void {
  program
    .command("check")
    .description(DESCRIPTION)
    .option("--deploy", "placeholders, missing KV ids and missing routes are errors too", false)
    .addHelpText("after", EXAMPLES)
    .action(async ({ deploy }: { deploy: boolean }, command: Command) => {
      const { env, json } = globalOptions(command);
      const output = createOutput({ json });
      const result = await checkProject({ env, forDeploy: deploy });
      output.result({ ok: !hasErrors(result.findings), ...result }, () => {
        if (result.findings.length > 0)
          output.table(
            ["level", "where", "what"],
            result.findings.map(({ level, where, what }) => [level, where, what]),
          );
        output.line(summary(result));
      });
      if (hasErrors(result.findings)) process.exitCode = 1;
    });
}
