import { randomUUID } from "node:crypto";
import { appendFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { startApi } from "./api.ts";
import { createCognito } from "./cognito.ts";
import { startGateway } from "./gateway.ts";
import { emptyNamespace, seedAllowLists } from "./kv-seed.ts";
import { createOutcomes } from "./outcomes.ts";
import { StartError } from "./ports.ts";
import { ALLOW_LISTS, DIRECTORY, POOL_ID, WEB_APP } from "./seed.ts";
import type { StartOptions } from "./start-options.ts";
import { welcome } from "./welcome.ts";
import { readWorkerSettings, type WorkerSettings } from "./worker-settings.ts";

const WRANGLER_TOML = fileURLToPath(new URL("../../wrangler.toml", import.meta.url));
const ENVIRONMENT = "dev";
const CRON_MS = 5 * 60_000; // as in wrangler.toml: the JWKS in KV stays younger than its 10 minutes

/** Every origin that has a name is the one API stand-in, so that no route leads away from this machine. */
const localOrigins = ({ vars }: WorkerSettings, originUrl: string): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.keys(Object(vars["ORIGINS"])).map((name) => [name, originUrl]));

/** Rejects before anything runs, not at the first line of the log. */
function assertWritable(file: string): void {
  try {
    appendFileSync(file, "");
  } catch (error) {
    throw new StartError(`${file} cannot be written: ${(error as Error).message}`);
  }
}

/**
 * Starts the stand-ins and the gateway between them, seeds KV, and prints how to use it all. Rejects with a
 * `StartError` where a setting is at fault. What runs by then ends with this process.
 */
export async function startStack({ ports, log, reset }: StartOptions): Promise<void> {
  const settings = readWorkerSettings(WRANGLER_TOML, ENVIRONMENT);
  if (log !== undefined) assertWritable(log);
  const originSecret = randomUUID();
  const [cognito, api] = await Promise.all([
    createCognito({ port: ports.cognito, poolId: POOL_ID, directory: DIRECTORY }),
    startApi({ port: ports.api, originSecret }),
  ]);
  const gateway = await startGateway({
    port: ports.gateway,
    settings,
    vars: {
      ORIGIN_URL: api.originUrl,
      ORIGINS: localOrigins(settings, api.originUrl),
      ORIGIN_SECRET: originSecret,
      USER_POOLS: [
        {
          id: POOL_ID,
          client_ids: [WEB_APP.clientId],
          issuers: [{ issuer: cognito.issuer, jwks_url: cognito.jwksUrl }],
        },
      ],
    },
    onLog: (line) =>
      log === undefined ? process.stdout.write(`${line}\n`) : appendFileSync(log, `${line}\n`),
  });
  setInterval(() => gateway.runCron().catch(() => undefined), CRON_MS).unref(); // it logs its own failures
  if (reset)
    for (const binding of Object.keys(settings.kvNamespaces)) await emptyNamespace(await gateway.kv(binding));
  const seeding = await seedAllowLists(await gateway.kv("M2M_TENANTS"), ALLOW_LISTS);
  const revocations = "REVOCATIONS" in settings.kvNamespaces ? await gateway.kv("REVOCATIONS") : undefined;
  process.stdout.write(
    welcome({
      gatewayUrl: gateway.url,
      cognito,
      api,
      outcomes: await createOutcomes(cognito.mint),
      seeding,
      revocations: (await revocations?.list())?.keys.length ?? 0,
      log,
    }),
  );
}
