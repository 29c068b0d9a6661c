import { type Command, InvalidArgumentError, Option } from "commander";
import { globalOptions } from "./context.ts";
import { createOutput } from "./output.ts";
import { decode, decodedLines } from "./token-decode.ts";
import { endpointsOf } from "./token-endpoints.ts";
import { readToken, type TokenKind } from "./token-input.ts";
import { login, loginMachine, refresh } from "./token-login.ts";
import { givenSecret, requireSecret, SECRET_VARIABLE } from "./token-secret.ts";
import {
  assertSavable,
  loadTokenSet,
  PRINTABLE_TOKENS,
  type PrintableToken,
  saveTokenSet,
  summarizeToken,
  type TokenSet,
  tokenOf,
} from "./token-set.ts";

type Output = ReturnType<typeof createOutput>;

interface KeepOptions {
  readonly save?: string;
  readonly print?: PrintableToken;
}

interface ClientOptions extends KeepOptions {
  readonly domain: string;
  readonly clientId: string;
  readonly scope?: readonly string[];
  readonly secretFile?: string;
}

const port = (text: string): number => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 65_535)
    throw new InvalidArgumentError("It is 1 to 65535.");
  return value;
};

/** Prints what was asked for and no token beside: a terminal keeps what it has shown. */
async function deliver(set: TokenSet, { save, print }: KeepOptions, output: Output): Promise<void> {
  if (save !== undefined) await saveTokenSet(save, set);
  const nowMs = Date.now();
  const summary = {
    access_token: summarizeToken(set.access_token, nowMs),
    ...(set.id_token !== undefined && { id_token: summarizeToken(set.id_token, nowMs) }),
    refresh_token: set.refresh_token !== undefined,
    ...(save !== undefined && { saved: save }),
    ...(print !== undefined && { token: tokenOf(set, print) }),
  };
  output.result(summary, () => {
    if (print !== undefined) return output.line(tokenOf(set, print));
    for (const name of ["access_token", "id_token"] as const)
      for (const [claim, value] of Object.entries(summary[name] ?? {}))
        output.line(`${name}  ${claim}: ${value}`);
    output.line(`refresh_token  ${summary.refresh_token ? "yes" : "none"}`);
  });
  if (save !== undefined) output.note(`Saved in ${save}, for this user alone (0600).`);
  else if (print === undefined)
    output.note("Not kept. Use --save FILE to keep the tokens, or --print access to print one.");
}

const withKeepOptions = (command: Command): Command =>
  command
    .option("--save <file>", "keep the tokens in a file that only this user can read")
    .addOption(new Option("--print <kind>", "print this token, and nothing else").choices(PRINTABLE_TOKENS));

const withClientOptions = (command: Command): Command =>
  withKeepOptions(
    command
      .requiredOption("--domain <url>", "the user pool's domain, https://auth.example.com")
      .requiredOption("--client-id <id>", "the app client")
      .option("--scope <scope...>", "scopes to ask for")
      .option("--secret-file <file>", `file with the client's secret; else ${SECRET_VARIABLE}`),
  );

const scopeOf = ({ scope }: ClientOptions, standard: string): string => (scope ?? [standard]).join(" ");

async function runLogin(
  options: ClientOptions & { readonly port: number; readonly browser: boolean },
  command: Command,
): Promise<void> {
  const output = createOutput(globalOptions(command));
  await assertSavable(options.save);
  const note = (text: string) => output.note(text);
  const set = await login({
    endpoints: endpointsOf(options.domain),
    clientId: options.clientId,
    scope: scopeOf(options, "openid"),
    port: options.port,
    secret: await givenSecret(options.secretFile, note),
    openBrowser: options.browser && process.stdout.isTTY === true,
    note,
  });
  await deliver(set, options, output);
}

async function runM2m(options: ClientOptions, command: Command): Promise<void> {
  const output = createOutput(globalOptions(command));
  await assertSavable(options.save);
  const endpoints = endpointsOf(options.domain);
  const secret = await requireSecret(options.secretFile, options.clientId, (text) => output.note(text));
  await deliver(
    await loginMachine(endpoints, options.clientId, scopeOf(options, ""), secret),
    options,
    output,
  );
}

async function runRefresh(
  file: string,
  options: { readonly print?: PrintableToken; readonly secretFile?: string },
  command: Command,
): Promise<void> {
  const output = createOutput(globalOptions(command));
  const set = await loadTokenSet(file);
  const secret = await givenSecret(options.secretFile, (text) => output.note(text));
  await deliver(await refresh(endpointsOf(set.domain), set, secret), { ...options, save: file }, output);
}

async function runDecode(
  file: string,
  { use }: { readonly use?: TokenKind },
  command: Command,
): Promise<void> {
  const output = createOutput(globalOptions(command));
  const decoded = decode(await readToken(file, use));
  output.result(decoded, () => {
    for (const line of decodedLines(decoded, Date.now())) output.line(line);
  });
}

const LOGIN_HELP = `
The app client must list http://localhost:8765/callback among its callback URLs (or the port of --port), and
have the authorization code grant switched on.

Examples:
  npx edge token login --domain https://auth.example.com --client-id 1example23456789 --save tokens.json
  curl -H "authorization: Bearer $(npx edge token login … --print id)" https://api.example.com/v1/me`;

const M2M_HELP = `
The secret comes from a prompt, from ${SECRET_VARIABLE} or from --secret-file: never from an argument.

Example:
  npx edge token m2m --domain https://auth.example.com --client-id 2example --scope zen/m2m --save m2m.json`;

/** Adds `edge token`. */
export function register(program: Command): void {
  const token = program.command("token").description("Get tokens from Cognito, and look into them.");
  withClientOptions(
    token
      .command("login")
      .description("Sign a person in: authorization code with PKCE, on a loopback redirect."),
  )
    .option("--port <number>", "port of the loopback redirect", port, 8765)
    .option("--no-browser", "only print the address")
    .addHelpText("after", LOGIN_HELP)
    .action(runLogin);
  withClientOptions(
    token.command("m2m").description("Get a machine's token: client credentials, Basic authentication."),
  )
    .addHelpText("after", M2M_HELP)
    .action(runM2m);
  token
    .command("refresh")
    .description("Get new tokens for a saved set, and keep them in the same file.")
    .argument("<file>", "what --save has written")
    .option("--secret-file <file>", `file with the client's secret; else ${SECRET_VARIABLE}`)
    .addOption(new Option("--print <kind>", "print this token, and nothing else").choices(PRINTABLE_TOKENS))
    .action(runRefresh);
  token
    .command("decode")
    .description("Show what a token says. Verifies nothing.")
    .argument("[file]", "a token, or what --save has written; - for standard input", "-")
    .addOption(new Option("--use <kind>", "which token of a saved set").choices(["id", "access"]))
    .action(runDecode);
}
