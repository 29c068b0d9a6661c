import type { Command } from "commander";
import { Option } from "commander";
import type { HeaderList } from "../core/decision.ts";
import type { Gateway } from "../core/gateway.ts";
import { editedHeaders } from "../core/http/upstream-headers.ts";
import { globalOptions, RefusedError, UsageError } from "./context.ts";
import { type ChosenEnvironment, chooseEnvironment } from "./environment-choice.ts";
import { type ExplainSources, explainRequest, type Trace } from "./explain-run.ts";
import { type ExplainedStep, explainSteps, stepsNotReached } from "./explain-steps.ts";
import { fetchJwks } from "./jwks-fetch.ts";
import { type KvPlace, readValues } from "./kv-documents.ts";
import type { KvTarget } from "./kv-target-words.ts";
import { createOutput } from "./output.ts";
import { readPolicyFile } from "./policy-file.ts";
import { listRevocations } from "./revocation-store.ts";
import { readInput, readJsonInput, readToken, type TokenKind } from "./token-input.ts";
import { wayOut } from "./way-out.ts";
import { assembleGateway } from "./worker-env.ts";

const DESCRIPTION = `Explain what the gateway does with a request, step by step, and the way out of a refusal.

Runs the gateway's own code over the token, with the configuration of the environment and the policy of the
project. Nothing is sent to the API behind. Exit code 0 where the request would be forwarded or answered, 1
where it would be refused. Rate limits and secrets are Cloudflare's alone and are not looked at.`;

const EXAMPLES = `
Examples:
  npx edge explain --env dev --method GET --path /v1/reports/7 --token-file tokens.json
  pbpaste | npx edge explain --env dev --method GET --path /v1/reports/7 --token-file -
  npx edge explain --env production --remote --method POST --path /v1/jobs --token-file m2m.json --tenant acme

--token-file takes a token, or what "edge token login --save" wrote; --use access picks the access token of it.`;

interface ExplainOptions {
  readonly method: string;
  readonly path: string;
  readonly tokenFile?: string;
  readonly use?: TokenKind;
  readonly tenant?: string;
  readonly header: readonly string[];
  readonly jwksFile?: string;
  readonly allowListFile?: string;
}

/** Where an explanation reads from: files where they are named, else the pool and KV. */
async function createSources(
  options: ExplainOptions,
  { environment, folder }: ChosenEnvironment,
  remote: boolean,
): Promise<ExplainSources> {
  const place = (binding: string): KvPlace => ({ folder, env: environment.name, binding, remote });
  const isBound = environment.kvNamespaces.some(({ binding }) => binding === "REVOCATIONS");
  const jwks = options.jwksFile === undefined ? undefined : await readJsonInput(options.jwksFile);
  const allowList = options.allowListFile === undefined ? undefined : await readInput(options.allowListFile);
  return {
    fetchJwks: jwks === undefined ? fetchJwks : async () => ({ status: 200, body: jwks }),
    readAllowList: async (clientId) =>
      allowList ?? (await readValues([clientId], place("M2M_TENANTS"))).get(clientId) ?? null,
    listRevocations: isBound ? () => listRevocations(place("REVOCATIONS")) : undefined,
  };
}

async function buildHeaders(options: ExplainOptions): Promise<Headers> {
  const headers = new Headers();
  for (const line of options.header) {
    const colon = line.indexOf(":");
    if (colon < 1) throw new UsageError(`--header wants "Name: value", not ${JSON.stringify(line)}.`);
    headers.append(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  if (options.tenant !== undefined) headers.set("x-tenant-id", options.tenant);
  if (options.tokenFile !== undefined)
    headers.set("authorization", `Bearer ${await readToken(options.tokenFile, options.use)}`);
  return headers;
}

/** The URL as the Worker sees it: the runtime has resolved dot segments and the like by then. */
function requestUrl(path: string, host: string): string {
  if (!path.startsWith("/")) throw new UsageError("--path starts with a slash.");
  return new URL(`https://${host}${path}`).href;
}

function outcomeLine({ decision, exchange }: Trace): string {
  if (decision.kind === "forward") return "Forwarded.";
  if (decision.kind === "report")
    return `Forwarded by report mode; enforced, it would be refused: ${decision.wouldHave}.`;
  if (decision.kind === "answer") return `Answered by the gateway itself with ${decision.answer.status}.`;
  return `Refused: ${decision.refusal.code} (request_id ${exchange.requestId}).`;
}

const refusalCode = ({ decision }: Trace) =>
  decision.kind === "refuse"
    ? decision.refusal.code
    : decision.kind === "report"
      ? decision.wouldHave
      : undefined;

/** What is safe to show of the request for the API: who the gateway says is calling. */
const identityHeaders = ({ decision, exchange }: Trace): HeaderList =>
  "upstream" in decision
    ? editedHeaders(exchange.request.headers, decision.upstream.headers).filter(
        ([name]) => (name.startsWith("x-auth-") && name !== "x-auth-token") || name === "x-tenant-id",
      )
    : [];

const stepLine = ({ number, step, outcome, saw }: ExplainedStep): string =>
  `${String(number ?? "").padStart(2)}  ${step.padEnd(17)} ${outcome.padEnd(12)} ${saw}`;

/** Everything that is printed, as data. */
function explanationOf(trace: Trace, target: KvTarget) {
  const code = refusalCode(trace);
  const principal = trace.exchange.verification?.token.principal;
  const facts = {
    caller: principal?.caller,
    clientId: principal?.clientId,
    tenant: trace.exchange.request.headers.get("x-tenant-id") ?? undefined,
    target,
  };
  return {
    decision: trace.decision.kind,
    ...(code !== undefined && { error: code, way_out: wayOut(code, facts) }),
    ...(trace.exchange.route && { route: trace.exchange.route.pattern.text }),
    steps: explainSteps(trace),
    not_reached: stepsNotReached(trace),
    ...("upstream" in trace.decision && {
      upstream: { url: trace.decision.upstream.url, identity: Object.fromEntries(identityHeaders(trace)) },
    }),
    notices: trace.notices,
  };
}

async function gatewayOf(chosen: ChosenEnvironment): Promise<Gateway> {
  const gateway = await assembleGateway(chosen.environment, await readPolicyFile(chosen.folder));
  if (gateway.ok) return gateway.value;
  throw new RefusedError(`Every request is answered with 500 misconfigured:\n${gateway.faults.join("\n")}`);
}

async function explain(options: ExplainOptions, command: Command): Promise<void> {
  const { env, remote, json } = globalOptions(command);
  const output = createOutput({ json });
  const chosen = chooseEnvironment(env);
  const gateway = await gatewayOf(chosen);
  const host = chosen.environment.routes[0]?.replace(/\/.*$/, "").replace("*", "api") ?? "gateway.example";
  const request = {
    method: options.method.toUpperCase(),
    url: requestUrl(options.path, host),
    headers: await buildHeaders(options),
  };
  output.note(
    `Allow-lists and revocations are read from ${remote ? "Cloudflare (--remote)" : "this machine (--local)"}.`,
  );
  const trace = await explainRequest(request, gateway, await createSources(options, chosen, remote));
  const explanation = explanationOf(trace, { env: chosen.environment.name, remote });
  output.result(explanation, () => {
    for (const step of explanation.steps) output.line(stepLine(step));
    if (explanation.not_reached.length > 0)
      output.line(`    not reached: ${explanation.not_reached.join(", ")}`);
    output.line("");
    output.line(outcomeLine(trace));
    for (const [name, value] of identityHeaders(trace)) output.line(`  ${name}: ${value}`);
    if (explanation.way_out === undefined) return;
    output.line(`The caller is told: ${explanation.way_out.caller}`);
    output.line(`The way out: ${explanation.way_out.operator}`);
  });
  if (trace.decision.kind === "refuse") process.exitCode = 1;
}

/** Adds `edge explain`. */
export function register(program: Command): void {
  program
    .command("explain")
    .description(DESCRIPTION)
    .requiredOption("--method <method>", "method of the request")
    .requiredOption("--path <path>", "path of the request, perhaps with a query")
    .option("--token-file <file>", "file with the token, or - for standard input")
    .addOption(new Option("--use <kind>", "which token of a saved set").choices(["id", "access"]))
    .option("--tenant <tenant>", "x-tenant-id of the request")
    .option(
      "--header <line>",
      "another header, as Name: value; may be repeated",
      (line: string, lines: string[]) => [...lines, line],
      [],
    )
    .option("--jwks-file <file>", "take the keys from a file instead of the pool")
    .option("--allow-list-file <file>", "take the machine's allow-list from a file instead of KV")
    .addHelpText("after", EXAMPLES)
    .action(explain);
}
