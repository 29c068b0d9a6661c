import { dirname } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import type { Config } from "../core/config.ts";
import { globalOptions } from "./context.ts";
import { diagnose, type Expectations } from "./doctor-checks.ts";
import { readDescriptions } from "./doctor-input.ts";
import { hasErrors } from "./finding.ts";
import { createOutput } from "./output.ts";
import { readPolicyFile } from "./policy-file.ts";
import { counted } from "./printable.ts";
import { LONGEST_TOKEN_SECONDS } from "./revocation-document.ts";
import { readConfig } from "./worker-env.ts";
import { environmentTitle, findWranglerConfig, readWranglerConfig } from "./wrangler-config.ts";

const DESCRIPTION = `Look for settings of user pools and app clients that undo the gateway.

Reads what these two commands print, in any number of files and any order:
  aws cognito-idp describe-user-pool --user-pool-id POOL > pool.json
  aws cognito-idp describe-user-pool-client --user-pool-id POOL --client-id CLIENT > client.json
Secrets in them are neither kept nor printed. Exit code 1 on errors; each comes with the command that mends it.`;

const EXAMPLES = `
Example:
  npx edge doctor pool.json client-*.json --env production`;

const seconds = (text: string): number => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 60)
    throw new InvalidArgumentError("It is a number of seconds, 60 or more.");
  return value;
};

/** The project's own policy and configurations; the shipped names of claims where there is no project. */
async function readExpectations(
  env: string | undefined,
  revocationTtlSeconds: number,
): Promise<Expectations> {
  const file = findWranglerConfig();
  const policy = file === undefined ? undefined : await readPolicyFile(dirname(file));
  const project = file === undefined ? undefined : readWranglerConfig(file);
  const configs = new Map<string, Config>();
  for (const environment of project?.ok ? project.value.environments : []) {
    const config = await readConfig(environment);
    if (config.ok && (env === undefined || environment.name === env))
      configs.set(environmentTitle(environment), config.value);
  }
  return {
    tenantClaim: policy?.ok ? policy.value.tenantClaim : "custom:tenant_id",
    roleClaim: policy?.ok ? policy.value.roleClaim : "custom:role",
    configs,
    revocationTtlSeconds,
  };
}

async function doctor(
  files: readonly string[],
  { revocationTtl }: { readonly revocationTtl: number },
  command: Command,
): Promise<void> {
  const { env, json } = globalOptions(command);
  const output = createOutput({ json });
  const descriptions = await readDescriptions(files);
  const found = diagnose(descriptions, await readExpectations(env, revocationTtl));
  const read = `${counted(descriptions.pools.length, "user pool")} and ${counted(descriptions.clients.length, "app client")}`;
  output.result({ ok: !hasErrors(found), findings: found }, () => {
    for (const { level, where, what, mend } of found) {
      output.line(`${level}  ${where}: ${what}.`);
      output.line(`       mend: ${mend}`);
    }
    const errors = found.filter(({ level }) => level === "error").length;
    output.line(`Read ${read}: ${counted(errors, "error")}, ${counted(found.length - errors, "warning")}.`);
  });
  if (hasErrors(found)) process.exitCode = 1;
}

/** Adds `edge doctor`. */
export function register(program: Command): void {
  program
    .command("doctor")
    .description(DESCRIPTION)
    .argument("<files...>", "output of the two commands")
    .option(
      "--revocation-ttl <seconds>",
      "how long your revocations are kept",
      seconds,
      LONGEST_TOKEN_SECONDS,
    )
    .addHelpText("after", EXAMPLES)
    .action(doctor);
}
