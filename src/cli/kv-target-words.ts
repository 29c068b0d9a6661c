/** The environment, and which copy of its KV. */
export interface KvTarget {
  /** Undefined: the top level of `wrangler.toml`. */
  readonly env: string | undefined;
  readonly remote: boolean;
}

/** The option of the environment with a space before it; nothing for the top level, which has no name. */
export const environmentWords = ({ env }: Pick<KvTarget, "env">): string =>
  env === undefined ? "" : ` --env ${env}`;

/** The options that a proposed command needs to work on the same copy of KV, with a space before them. */
export const targetWords = (target: KvTarget): string =>
  `${environmentWords(target)} ${target.remote ? "--remote" : "--local"}`;

/** The command that creates a namespace, named for its environment as docs/deploy.md does. */
export const createNamespaceCommand = (binding: string, env: string | undefined): string =>
  `npx wrangler kv namespace create ${["edge-authorizer", binding.toLowerCase().replaceAll("_", "-"), ...(env === undefined ? [] : [env])].join("-")}`;
