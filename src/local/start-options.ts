import { Command, InvalidArgumentError, Option } from "commander";
import { PORT_SETTINGS, type Ports } from "./ports.ts";

/** What `npm start` is told. */
export interface StartOptions {
  readonly ports: Ports;
  /** File that the gateway's log lines are appended to, in place of the terminal. */
  readonly log?: string;
  /** Puts the local KV back to what it is on the first start. */
  readonly reset: boolean;
}

interface Flags {
  readonly port: number;
  readonly cognitoPort: number;
  readonly apiPort: number;
  readonly log?: string;
  readonly reset: boolean;
}

const EXAMPLES = `
Under npm, options stand after --:
  npm start -- --port 9000
  EDGE_PORT=0 EDGE_COGNITO_PORT=0 EDGE_API_PORT=0 npm start    (three free ports)
  npm start -- --log decisions.log                              (then: npx edge report decisions.log)

Everything listens on 127.0.0.1 alone and asks nothing of the internet. docs/local.md says more.`;

function parsePort(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535)
    throw new InvalidArgumentError("It is 1 to 65535, or 0 for a free one.");
  return Number(text);
}

const portOption = (name: keyof typeof PORT_SETTINGS): Option => {
  const { flag, variable, standard, what } = PORT_SETTINGS[name];
  return new Option(`${flag} <number>`, `port of ${what}; 0 takes a free one`)
    .env(variable)
    .default(standard)
    .argParser(parsePort);
};

/**
 * Reads flags and environment variables; flags win. Prints the help and ends with 0 for `--help`; ends with 2, and
 * says why, for what it does not understand.
 */
export function readStartOptions(argv: readonly string[]): StartOptions {
  const command = new Command("npm start --")
    .description("Run the gateway in workerd, with a Cognito stand-in and an API stand-in, on this machine.")
    .addOption(portOption("gateway"))
    .addOption(portOption("cognito"))
    .addOption(portOption("api"))
    .option("--log <file>", "append the gateway's log to a file, and do not print it")
    .option("--reset", "empty the local KV first, and seed it anew", false)
    .addHelpText("after", EXAMPLES)
    .allowExcessArguments(false)
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
  const { port, cognitoPort, apiPort, log, reset } = command.parse(argv, { from: "user" }).opts<Flags>();
  const ports = { gateway: port, cognito: cognitoPort, api: apiPort };
  const fixed = Object.values(ports).filter((value) => value !== 0);
  if (new Set(fixed).size < fixed.length) command.error("error: two of the three ports are the same.");
  return { ports, reset, ...(log !== undefined && { log }) };
}
