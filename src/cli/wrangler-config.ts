import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parse, TomlError } from "smol-toml";
import * as v from "valibot";
import type { Parsed } from "../core/config.ts";
import { faultsOf } from "./faults.ts";

/** A KV binding; `id` is undefined where the file names none. */
export interface KvBinding {
  readonly binding: string;
  readonly id: string | undefined;
}

/** A rate limit binding. */
export interface RateLimitBinding {
  readonly name: string;
  readonly namespaceId: string;
}

/** One environment, resolved as wrangler resolves it. */
export interface Environment {
  /** Undefined: the top level of the file. */
  readonly name: string | undefined;
  readonly vars: Readonly<Record<string, unknown>>;
  readonly kvNamespaces: readonly KvBinding[];
  readonly rateLimits: readonly RateLimitBinding[];
  /** Patterns of its routes and custom domains. */
  readonly routes: readonly string[];
  /** Reachable under `*.workers.dev`, beside its routes. */
  readonly workersDev: boolean;
  readonly previewUrls: boolean;
  readonly crons: readonly string[];
}

/** A `wrangler.toml` with all of its environments. */
export interface WranglerConfig {
  readonly file: string;
  /** The folder that the file is in: the project's. */
  readonly folder: string;
  /** The named ones, or the top level where there are none. */
  readonly environments: readonly Environment[];
}

const route = v.union([v.string(), v.looseObject({ pattern: v.string() })], "must be a route");
const kvNamespace = v.looseObject({ binding: v.string("must be a name"), id: v.optional(v.string()) });
// named `binding` in wrangler's own newer files, `name` in the documentation
const rateLimit = v.looseObject({
  name: v.optional(v.string()),
  binding: v.optional(v.string()),
  namespace_id: v.string("must be a string"),
});

const environmentTable = v.looseObject(
  {
    vars: v.optional(v.record(v.string(), v.unknown(), "must be a table"), {}),
    kv_namespaces: v.optional(v.array(kvNamespace, "must be an array of tables"), []),
    ratelimits: v.optional(v.array(rateLimit, "must be an array of tables"), []),
    route: v.optional(route),
    routes: v.optional(v.array(route, "must be an array")),
    workers_dev: v.optional(v.boolean("must be true or false")),
    preview_urls: v.optional(v.boolean("must be true or false")),
    triggers: v.optional(v.looseObject({ crons: v.optional(v.array(v.string()), []) })),
  },
  "must be a table",
);
const fileTable = v.looseObject({
  ...environmentTable.entries,
  env: v.optional(v.record(v.string(), environmentTable, "must be a table of environments"), {}),
});

type EnvironmentTable = v.InferOutput<typeof environmentTable>;

const routesOf = (table: EnvironmentTable): readonly string[] | undefined => {
  const routes = table.routes ?? (table.route === undefined ? undefined : [table.route]);
  return routes?.map((entry) => (typeof entry === "string" ? entry : entry.pattern));
};

/**
 * Cloudflare: vars, KV namespaces and rate limits are not inherited; routes, triggers and the two extra
 * entrances are, where the environment has none of its own.
 */
function resolveEnvironment(name: string | undefined, own: EnvironmentTable, top: EnvironmentTable) {
  const routes = routesOf(own) ?? routesOf(top) ?? [];
  return {
    name,
    vars: own.vars,
    kvNamespaces: own.kv_namespaces.map(({ binding, id }) => ({ binding, id })),
    rateLimits: own.ratelimits.map((limit) => ({
      name: limit.name ?? limit.binding ?? "",
      namespaceId: limit.namespace_id,
    })),
    routes,
    workersDev: own.workers_dev ?? top.workers_dev ?? routes.length === 0,
    previewUrls: own.preview_urls ?? top.preview_urls ?? false,
    crons: (own.triggers ?? top.triggers)?.crons ?? [],
  } satisfies Environment;
}

/** The nearest `wrangler.toml`, in this folder or above it; undefined where there is none. */
export function findWranglerConfig(from: string = process.cwd()): string | undefined {
  for (let folder = resolve(from); ; folder = dirname(folder)) {
    const file = join(folder, "wrangler.toml");
    if (existsSync(file)) return file;
    if (folder === dirname(folder)) return undefined;
  }
}

function parseToml(file: string): Parsed<unknown> {
  try {
    return { ok: true, value: parse(readFileSync(file, "utf8")) };
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    return { ok: false, faults: [`line ${error.line}: ${error.message.split("\n")[0] ?? "is not TOML"}`] };
  }
}

/**
 * Reads a `wrangler.toml`. A table of environments replaces the top level, which then is only what they
 * inherit. Checks the form of what it returns, not the values: `edge check` does.
 */
export function readWranglerConfig(file: string): Parsed<WranglerConfig> {
  const toml = parseToml(file);
  if (!toml.ok) return toml;
  const parsed = v.safeParse(fileTable, toml.value);
  if (!parsed.success) return { ok: false, faults: faultsOf(parsed.issues) };
  const { env, ...top } = parsed.output;
  const named = Object.entries(env).map(([name, table]) => resolveEnvironment(name, table, top));
  const isUsed = Object.keys(top.vars).length > 0 || named.length === 0;
  const environments = isUsed ? [resolveEnvironment(undefined, top, top), ...named] : named;
  return { ok: true, value: { file, folder: dirname(file), environments } };
}

/** How an environment is spoken of. */
export const environmentTitle = ({ name }: Environment): string => name ?? "(top level)";
