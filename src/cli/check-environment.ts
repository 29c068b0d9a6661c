import type { Config } from "../core/config.ts";
import { createGateway } from "../core/gateway.ts";
import type { CompiledPolicy } from "../core/policy/schema.ts";
import { createFindings, type Finding } from "./finding.ts";
import { createNamespaceCommand } from "./kv-target-words.ts";
import { findPlaceholders } from "./placeholders.ts";
import { counted } from "./printable.ts";
import { readConfig } from "./worker-env.ts";
import { type Environment, environmentTitle } from "./wrangler-config.ts";

/** Cloudflare: the size of a variable. */
const MAX_VAR_BYTES = 5 * 1024;

const KNOWN_VARS = new Set([
  "ORIGIN_URL",
  "ORIGINS",
  "USER_POOLS",
  "CORS_ORIGINS",
  "EXP_TOLERANCE_SECONDS",
  "SKEW_TOLERANCE_SECONDS",
  "ORIGIN_TIMEOUT_MS",
  "FORWARD_AUTHORIZATION",
  "MODE",
  "REALM",
  "PASSPORT_ISSUER",
  "PASSPORT_AUDIENCE",
]);
const SECRETS = new Set([
  "ORIGIN_SECRET",
  "AWS_ACCESS_KEY_ID",
  "AWS_SECRET_ACCESS_KEY",
  "AWS_SESSION_TOKEN",
  "PASSPORT_PRIVATE_JWK",
]);
const OPTIONAL_BINDINGS = {
  REVOCATIONS: "no token can be revoked before it expires",
  PUBLIC_RATE_LIMIT: "public routes have no limit",
  TENANT_RATE_LIMIT: "tenants have no limit",
} as const;

type Findings = ReturnType<typeof createFindings>;

/** The faults that would make the Worker answer `misconfigured`, found by the Worker's own code. */
async function findFaults(
  environment: Environment,
  policy: CompiledPolicy | undefined,
  { error }: Findings,
): Promise<Config | undefined> {
  const config = await readConfig(environment);
  if (!config.ok) for (const fault of config.faults) error(fault);
  if (!config.ok || policy === undefined) return undefined;
  const gateway = createGateway(config.value, policy);
  if (!gateway.ok) for (const fault of gateway.faults) error(fault);
  return config.value;
}

const bytesOf = (value: unknown): number =>
  Buffer.byteLength(typeof value === "string" ? value : JSON.stringify(value));

function checkVars({ vars }: Environment, { error, warning }: Findings): void {
  for (const [name, value] of Object.entries(vars)) {
    const bytes = bytesOf(value);
    if (bytes > MAX_VAR_BYTES)
      error(`${name}: has ${bytes} bytes, and Cloudflare takes ${MAX_VAR_BYTES} for a variable`);
    if (SECRETS.has(name))
      error(`${name}: is a secret; remove it here and set it with: wrangler secret put ${name}`);
    else if (!KNOWN_VARS.has(name)) warning(`${name}: is no variable of the gateway, so it has no effect`);
  }
}

const isHttp = (url: string): boolean => url.startsWith("http:");

function checkTransport(config: Config, { warning }: Findings): void {
  if (isHttp(config.defaultOrigin.baseUrl))
    warning("ORIGIN_URL: is http, which is for a local stand-in only");
  for (const [name, { baseUrl }] of config.origins)
    if (isHttp(baseUrl)) warning(`ORIGINS.${name}: is http, which is for a local stand-in only`);
  for (const { issuer } of config.issuers.values())
    if (isHttp(issuer.jwksUrl)) warning(`USER_POOLS: the keys of ${issuer.issuer} are fetched over http`);
  for (const origin of config.corsOrigins)
    if (isHttp(origin) && !/^http:\/\/(?:localhost|127\.|\[::1\])/.test(origin))
      warning(`CORS_ORIGINS: ${origin} is http, so whoever is on its network path can act for its users`);
}

function checkEntrances(environment: Environment, { warning, note }: Findings): void {
  const { workersDev, previewUrls, crons, kvNamespaces, rateLimits } = environment;
  if (workersDev) warning("workers_dev: is true, so the gateway also answers under workers.dev");
  if (previewUrls) warning("preview_urls: is true, so every uploaded version answers to the public");
  if (crons.length === 0) warning("triggers.crons: is empty, so nothing keeps the signing keys in KV fresh");
  const bound = new Set([
    ...kvNamespaces.map(({ binding }) => binding),
    ...rateLimits.map(({ name }) => name),
  ]);
  for (const [name, consequence] of Object.entries(OPTIONAL_BINDINGS))
    if (!bound.has(name)) note(`${name}: is not bound, so ${consequence}`);
}

function checkDeployable({ name, kvNamespaces, routes }: Environment, { error }: Findings): void {
  for (const { binding, id } of kvNamespaces)
    if (id === undefined)
      error(`kv_namespaces ${binding}: has no id; create one with: ${createNamespaceCommand(binding, name)}`);
  if (routes.length === 0) error("routes: is empty; name the host that the gateway answers under");
}

/**
 * Checks one environment: what the Worker itself would refuse, limits of the platform, and what deserves a
 * second look. `forDeploy`: placeholders, missing KV ids and missing routes are errors too.
 */
export async function checkEnvironment(
  environment: Environment,
  policy: CompiledPolicy | undefined,
  forDeploy: boolean,
): Promise<readonly Finding[]> {
  const findings = createFindings(environmentTitle(environment));
  const { list, error, warning, note } = findings;
  const config = await findFaults(environment, policy, findings);
  checkVars(environment, findings);
  if (config !== undefined) checkTransport(config, findings);
  if (config?.mode === "report")
    warning("MODE: is report, so requests that would be refused are forwarded, without identity");
  checkEntrances(environment, findings);
  const placeholders = findPlaceholders(environment);
  if (forDeploy) {
    for (const { path, value } of placeholders) error(`${path}: is still ${value}; put your own value there`);
    checkDeployable(environment, findings);
  } else if (placeholders.length > 0)
    note(`${counted(placeholders.length, "placeholder")} (REPLACE_ME) to be filled in before a deploy`);
  return list;
}
