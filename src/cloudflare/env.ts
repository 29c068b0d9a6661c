import { type Config, type Parsed, parseConfig } from "../core/config.ts";
import { variableNames } from "../core/config-variables.ts";

/** A variable as `wrangler.toml`, `.dev.vars` or `--var` gives it: typed, or a string of JSON. */
type Var<T> = T | string;

/** The bindings, variables and secrets of the Worker; see the README for each. All are validated at run time. */
export interface Env {
  readonly JWKS: KVNamespace;
  readonly M2M_TENANTS: KVNamespace;
  readonly REVOCATIONS?: KVNamespace;
  readonly PUBLIC_RATE_LIMIT?: RateLimit;
  readonly TENANT_RATE_LIMIT?: RateLimit;
  readonly ORIGIN_URL: string;
  readonly ORIGINS?: Var<Readonly<Record<string, string>>>;
  readonly USER_POOLS: Var<
    readonly {
      readonly id: string;
      readonly client_ids: readonly string[];
      readonly issuers?: readonly { readonly issuer: string; readonly jwks_url: string }[];
      readonly resources?: readonly string[];
    }[]
  >;
  readonly CORS_ORIGINS?: Var<readonly string[]>;
  readonly EXP_TOLERANCE_SECONDS?: Var<number>;
  readonly SKEW_TOLERANCE_SECONDS?: Var<number>;
  readonly ORIGIN_TIMEOUT_MS?: Var<number>;
  readonly FORWARD_AUTHORIZATION?: Var<boolean>;
  readonly MODE?: string;
  readonly REALM?: string;
  readonly ORIGIN_SECRET?: string;
}

const REQUIRED_NAMESPACES = ["JWKS", "M2M_TENANTS"] as const;
const OPTIONAL_BINDINGS = ["REVOCATIONS", "PUBLIC_RATE_LIMIT", "TENANT_RATE_LIMIT"] as const;
// Proofs that this version does not give: a gateway that ignored them would forward without the proof.
const UNSUPPORTED = [
  "AWS_ACCESS_KEY_ID",
  "AWS_SECRET_ACCESS_KEY",
  "AWS_SESSION_TOKEN",
  "PASSPORT_PRIVATE_JWK",
  "PASSPORT_ISSUER",
  "PASSPORT_AUDIENCE",
];

const hasMethod = (value: unknown, method: string): boolean =>
  typeof value === "object" && value !== null && method in value;

function bindingFaults(env: Readonly<Record<string, unknown>>): string[] {
  const faults = REQUIRED_NAMESPACES.filter((name) => !hasMethod(env[name], "get")).map(
    (name) => `${name}: KV binding is missing`,
  );
  if (env["REVOCATIONS"] !== undefined && !hasMethod(env["REVOCATIONS"], "list"))
    faults.push("REVOCATIONS: must be a KV binding");
  for (const name of ["PUBLIC_RATE_LIMIT", "TENANT_RATE_LIMIT"])
    if (env[name] !== undefined && !hasMethod(env[name], "limit"))
      faults.push(`${name}: must be a rate limit binding`);
  for (const name of UNSUPPORTED)
    if (env[name] !== undefined) faults.push(`${name}: is not supported by this version`);
  return faults;
}

/**
 * Validates a Worker's environment: variables, secrets and bindings, every fault at once. The result is a copy:
 * `env` is shared between requests, and its tables are mutable.
 */
export function readEnv(env: object): Parsed<Config> {
  const faults = bindingFaults({ ...env });
  const config = parseConfig(env);
  if (config.ok && faults.length === 0) return config;
  return { ok: false, faults: [...(config.ok ? [] : config.faults), ...faults] };
}

/**
 * All that {@link readEnv} looks at, as text: the same for two environments with the same variables and secrets and
 * the same bindings, whichever objects stand for these. Undefined where a value has no text. Never to be logged.
 */
export function envText(env: object): string | undefined {
  const values: Readonly<Record<string, unknown>> = { ...env };
  const variables = variableNames().map((name) => [name, typeof values[name], values[name]]);
  const bindings = OPTIONAL_BINDINGS.filter((name) => values[name] !== undefined);
  try {
    return JSON.stringify([variables, bindings, bindingFaults(values)]);
  } catch {
    return undefined; // an entry of its own can put anything there
  }
}
