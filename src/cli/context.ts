import type { Command } from "commander";

/** Options that every command takes. */
export interface GlobalOptions {
  /** Environment of `wrangler.toml`; undefined: none was named. */
  readonly env: string | undefined;
  /** Work on Cloudflare's copy of KV, not on this machine's. */
  readonly remote: boolean;
  /** Print JSON alone on standard output. */
  readonly json: boolean;
  /** Change without asking. */
  readonly yes: boolean;
}

/** The command line cannot be what was meant: exit code 2. The message says what to write instead. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** What was asked for is refused, or has failed: exit code 1. The message says what to do next. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
}

/** The global options of a command, wherever on the command line they stand. */
export function globalOptions(command: Command): GlobalOptions {
  const { env, remote, json, yes } = command.optsWithGlobals<Partial<GlobalOptions>>();
  return { env, remote: remote === true, json: json === true, yes: yes === true };
}
