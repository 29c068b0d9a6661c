import { UsageError } from "./context.ts";
import {
  type Environment,
  environmentTitle,
  findWranglerConfig,
  readWranglerConfig,
} from "./wrangler-config.ts";

/** An environment, and the project that it is of. */
export interface ChosenEnvironment {
  readonly environment: Environment;
  /** Folder of `wrangler.toml`. */
  readonly folder: string;
}

/**
 * The environment that `--env` names, or the only one that there is.
 *
 * @throws {UsageError} where that is not one, or `wrangler.toml` cannot be read.
 */
export function chooseEnvironment(name: string | undefined): ChosenEnvironment {
  const file = findWranglerConfig();
  if (file === undefined)
    throw new UsageError("There is no wrangler.toml here; run this in the project's folder.");
  const config = readWranglerConfig(file);
  if (!config.ok) throw new UsageError(`wrangler.toml has faults:\n${config.faults.join("\n")}`);
  const { environments, folder } = config.value;
  const matching = name === undefined ? environments : environments.filter((each) => each.name === name);
  const [environment] = matching;
  if (environment === undefined || matching.length > 1) {
    const names = environments.map(environmentTitle).join(", ");
    throw new UsageError(
      `${name === undefined ? "Name an environment with --env" : `There is no environment ${name}`}: ${names}.`,
    );
  }
  return { environment, folder };
}
