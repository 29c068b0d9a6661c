import type { Environment } from "./wrangler-config.ts";

/** A value of the shipped `wrangler.toml` that nobody has filled in yet. */
export interface Placeholder {
  /** `USER_POOLS.0.id`, `kv_namespaces JWKS id`, `routes.0`. */
  readonly path: string;
  readonly value: string;
}

const PLACEHOLDER = /REPLACE_?ME/; // a user pool id takes no second underscore

const isTable = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null;

function find(path: string, value: unknown): Placeholder[] {
  if (typeof value === "string") return PLACEHOLDER.test(value) ? [{ path, value }] : [];
  if (!isTable(value)) return [];
  return Object.entries(value).flatMap(([name, member]) =>
    find(path === "" ? name : `${path}.${name}`, member),
  );
}

/** Every placeholder that is left in an environment. */
export const findPlaceholders = ({ vars, kvNamespaces, routes }: Environment): Placeholder[] => [
  ...find("", vars),
  ...kvNamespaces.flatMap(({ binding, id }) => find(`kv_namespaces ${binding} id`, id)),
  ...find("routes", routes),
];

/** The same values with placeholders that are valid host names, so that all else can be checked before. */
export function withoutPlaceholders(value: unknown): unknown {
  if (typeof value === "string") return value.replaceAll(/REPLACE_ME/g, "replace-me");
  if (Array.isArray(value)) return value.map(withoutPlaceholders);
  if (!isTable(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, withoutPlaceholders(member)]),
  );
}
