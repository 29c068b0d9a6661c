import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { parse } from "smol-toml";
import * as v from "valibot";
import { StartError } from "./ports.ts";

/** A rate limit: so many calls in a period of seconds. */
export interface RateLimitSetting {
  readonly name: string;
  readonly namespaceId: string;
  readonly simple: { readonly limit: number; readonly period: 10 | 60 };
}

/** What `wrangler.toml` says of an environment, as far as a Worker in workerd needs it. */
export interface WorkerSettings {
  /** The folder of the file. Wrangler's local state is in `.wrangler/state` under it. */
  readonly folder: string;
  readonly compatibilityDate: string;
  readonly compatibilityFlags: readonly string[];
  readonly vars: Readonly<Record<string, unknown>>;
  /** Ids of the KV namespaces by binding. */
  readonly kvNamespaces: Readonly<Record<string, string>>;
  readonly rateLimits: readonly RateLimitSetting[];
}

const runtime = {
  compatibility_date: v.optional(v.string()),
  compatibility_flags: v.optional(v.array(v.string())),
};
const environmentTable = v.looseObject({
  ...runtime,
  vars: v.optional(v.record(v.string(), v.unknown()), {}),
  kv_namespaces: v.optional(v.array(v.looseObject({ binding: v.string(), id: v.string() })), []),
  ratelimits: v.optional(
    v.array(
      v.looseObject({
        name: v.string(),
        namespace_id: v.string(),
        simple: v.object({ limit: v.number(), period: v.picklist([10, 60]) }),
      }),
    ),
    [],
  ),
});
const fileTable = v.looseObject({ ...runtime, env: v.optional(v.record(v.string(), environmentTable), {}) });

function parseFile(file: string): v.InferOutput<typeof fileTable> {
  try {
    return v.parse(fileTable, parse(readFileSync(file, "utf8")));
  } catch (error) {
    const reason = error instanceof Error ? (error.message.split("\n")[0] ?? "") : "";
    throw new StartError(`${file} cannot be used: ${reason} (npm run check names every fault).`);
  }
}

/** Reads an environment of a `wrangler.toml`. Throws a `StartError` where it is not there, or not well-formed. */
export function readWorkerSettings(file: string, environment: string): WorkerSettings {
  const { env, ...top } = parseFile(file);
  const own = env[environment];
  if (own === undefined) throw new StartError(`${file} has no environment "${environment}".`);
  const compatibilityDate = own.compatibility_date ?? top.compatibility_date;
  if (compatibilityDate === undefined) throw new StartError(`${file} has no compatibility_date.`);
  return {
    folder: dirname(file),
    compatibilityDate,
    compatibilityFlags: own.compatibility_flags ?? top.compatibility_flags ?? [],
    vars: own.vars,
    kvNamespaces: Object.fromEntries(own.kv_namespaces.map(({ binding, id }) => [binding, id])),
    rateLimits: own.ratelimits.map(({ name, namespace_id, simple }) => ({
      name,
      namespaceId: namespace_id,
      simple,
    })),
  };
}
