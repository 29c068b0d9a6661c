import type { Command } from "commander";
import { type GlobalOptions, globalOptions, RefusedError } from "./context.ts";
import { type ChosenEnvironment, chooseEnvironment } from "./environment-choice.ts";
import type { KvPlace } from "./kv-documents.ts";
import { createNamespaceCommand } from "./kv-target-words.ts";
import { createOutput, type Output } from "./output.ts";
import { findPlaceholders } from "./placeholders.ts";
import { environmentTitle } from "./wrangler-config.ts";

/** A command over a namespace: where it works, and how it speaks. */
export interface KvCommand {
  readonly place: KvPlace;
  readonly chosen: ChosenEnvironment;
  readonly options: GlobalOptions;
  readonly output: Output;
}

/**
 * Finds the namespace that a command works on, and says aloud which copy of it that is.
 *
 * @throws {UsageError} where the environment is not one.
 * @throws {RefusedError} where the environment has no such binding, or Cloudflare's id of it is not filled in.
 */
export function openKv(command: Command, binding: string): KvCommand {
  const options = globalOptions(command);
  const output = createOutput(options);
  const chosen = chooseEnvironment(options.env);
  const { environment, folder } = chosen;
  const title = environmentTitle(environment);
  if (!environment.kvNamespaces.some((each) => each.binding === binding))
    throw new RefusedError(
      `${binding} is not bound in environment ${title}: add it to its kv_namespaces in wrangler.toml.`,
    );
  const placeholder = findPlaceholders(environment).find(
    ({ path }) => path === `kv_namespaces ${binding} id`,
  );
  if (options.remote && placeholder !== undefined)
    throw new RefusedError(
      `The id of ${binding} is still ${placeholder.value}: create it with ${createNamespaceCommand(binding, environment.name)}, and put its id into wrangler.toml.`,
    );
  output.note(
    options.remote
      ? `${binding} of ${title} at Cloudflare (--remote).`
      : `${binding} of ${title} on this machine (--local); --remote works on Cloudflare's.`,
  );
  const place = { folder, env: environment.name, binding, remote: options.remote };
  return { place, chosen, options, output };
}
