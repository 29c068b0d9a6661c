/// <reference lib="webworker" />
// The core speaks of CryptoKey and Headers as the web platform types them.
import type { Config, Parsed } from "../core/config.ts";
import { createGateway, type Gateway } from "../core/gateway.ts";
import type { CompiledPolicy } from "../core/policy/schema.ts";
import { withoutPlaceholders } from "./placeholders.ts";
import type { Environment } from "./wrangler-config.ts";

type ReadEnv = (env: object) => Parsed<Config>;

/** Bindings as the Worker would find them: enough of each for it to see that it is there. */
function boundEnv({ vars, kvNamespaces, rateLimits }: Environment): object {
  const nothing = () => Promise.resolve(null);
  return {
    ...(withoutPlaceholders(vars) as object),
    ...Object.fromEntries(kvNamespaces.map(({ binding }) => [binding, { get: nothing, list: nothing }])),
    ...Object.fromEntries(rateLimits.map(({ name }) => [name, { limit: nothing }])),
  };
}

/**
 * The configuration of an environment, read by the Worker's own code, so that what it would call
 * `misconfigured` is found here. Imported at run time: its types are the Worker's. Secrets are not known here.
 */
export async function readConfig(environment: Environment): Promise<Parsed<Config>> {
  const module: { readonly readEnv: ReadEnv } = await import(
    new URL("../cloudflare/env.ts", import.meta.url).href
  );
  return module.readEnv(boundEnv(environment));
}

/** The gateway of an environment, as its Worker would set it up; or every fault of configuration and policy. */
export async function assembleGateway(
  environment: Environment,
  policy: Parsed<CompiledPolicy>,
): Promise<Parsed<Gateway>> {
  const config = await readConfig(environment);
  if (config.ok && policy.ok) return createGateway(config.value, policy.value);
  return { ok: false, faults: [config, policy].flatMap((part) => (part.ok ? [] : part.faults)) };
}
