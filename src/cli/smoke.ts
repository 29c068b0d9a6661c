import { dirname } from "node:path";
import type { Command } from "commander";
import type { CompiledPolicy } from "../core/policy/schema.ts";
import { globalOptions, UsageError } from "./context.ts";
import { createOutput } from "./output.ts";
import { readPolicyFile } from "./policy-file.ts";
import { createProbes } from "./smoke-probes.ts";
import { sendRaw } from "./smoke-request.ts";
import type { Verdict } from "./smoke-verdict.ts";
import { readToken } from "./token-input.ts";
import { findWranglerConfig } from "./wrangler-config.ts";

const DESCRIPTION = `Probe a deployed gateway with requests that must not get through.

Forged, malformed and unsigned tokens, spoofed headers, path tricks, a foreign page's preflight, and the API
itself past the gateway: one read-only request each. Exit code 1 if anything got through, or if the gateway did
not give an answer that can be judged.`;

const EXAMPLES = `
Examples:
  npx edge smoke https://api.example.com --route /v1/reports/1
  npx edge smoke https://api.example.com --origin https://abc123.execute-api.us-east-2.amazonaws.com/prod
  npx edge smoke https://api.example.com --expired-token-file yesterday.json

Without --route, the first authenticated route of src/policy.ts that takes GET is asked.`;

interface SmokeOptions {
  readonly origin?: string;
  readonly route?: string;
  readonly expiredTokenFile?: string;
}

/** A probe that has been made. */
interface SmokeRow extends Verdict {
  readonly probe: string;
  readonly expected: string;
}

function httpUrl(text: string, what: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && (url.protocol === "https:" || url.protocol === "http:")) return url;
  throw new UsageError(`${what} is an address such as https://api.example.com.`);
}

/** A path that an authenticated route takes; nobody's data is behind its made-up segments. */
function pathOfPolicy({ routes }: CompiledPolicy): string | undefined {
  const route = routes.find(
    ({ access, methods }) => access === "authenticated" && (methods?.has("GET") ?? true),
  );
  if (route === undefined) return undefined;
  const segments = route.pattern.segments.map((segment) =>
    segment.kind === "literal" ? encodeURIComponent(segment.text) : "edge-smoke",
  );
  return `/${[...segments, ...(route.pattern.open ? ["edge-smoke"] : [])].join("/")}`;
}

async function routeOf(given: string | undefined): Promise<string> {
  if (given?.startsWith("/")) return given;
  if (given !== undefined) throw new UsageError("--route starts with a slash.");
  const file = findWranglerConfig();
  const policy = file === undefined ? undefined : await readPolicyFile(dirname(file));
  const path = policy?.ok ? pathOfPolicy(policy.value) : undefined;
  if (path === undefined) throw new UsageError("Name an authenticated path that takes GET with --route.");
  return path;
}

async function smoke(address: string, options: SmokeOptions, command: Command): Promise<void> {
  const output = createOutput(globalOptions(command));
  const gateway = httpUrl(address, "URL");
  const route = await routeOf(options.route);
  const probes = await createProbes({
    gateway,
    route,
    api: options.origin === undefined ? undefined : httpUrl(options.origin, "--origin"),
    expiredToken:
      options.expiredTokenFile === undefined
        ? undefined
        : await readToken(options.expiredTokenFile, undefined),
  });
  output.note(`${probes.length} requests, one after another; ${route} is the route asked for.`);
  const rows: SmokeRow[] = [];
  for (const { name, expected, origin, request, judge } of probes)
    rows.push({ probe: name, expected, ...judge(await sendRaw(origin, request)) });

  const count = (outcome: Verdict["outcome"]): number => rows.filter((row) => row.outcome === outcome).length;
  const passed = count("got through") === 0 && count("unclear") === 0;
  output.result({ ok: passed, gateway: gateway.origin, route, probes: rows }, () => {
    output.table(
      ["probe", "expected", "came back", "outcome"],
      rows.map(({ probe, expected, saw, outcome }) => [probe, expected, saw, outcome]),
    );
    output.line(`${rows.length} probes: ${count("got through")} got through, ${count("unclear")} unclear.`);
    if (options.origin === undefined) output.line("The API itself was not asked: name it with --origin.");
    if (options.expiredTokenFile === undefined)
      output.line("No expired token was tried: hand one in with --expired-token-file.");
  });
  if (!passed) process.exitCode = 1;
}

/** Adds `edge smoke`. */
export function register(program: Command): void {
  program
    .command("smoke")
    .description(DESCRIPTION)
    .argument("<url>", "address of the gateway")
    .option("--origin <url>", "address of the API behind it, which must refuse a direct request")
    .option("--route <path>", "an authenticated path that takes GET")
    .option("--expired-token-file <file>", "a token of the pool that has expired")
    .addHelpText("after", EXAMPLES)
    .action(smoke);
}
