import type { Command } from "commander";
import type { ErrorCode } from "../core/errors.ts";
import { globalOptions, RefusedError } from "./context.ts";
import { createOutput } from "./output.ts";
import { counted, shown } from "./printable.ts";
import { type DecisionLine, readDecisions } from "./report-input.ts";
import { wayOut } from "./way-out.ts";

const DESCRIPTION = `Sum up a saved log of report mode: who would have been refused, where and why.

Reads JSON lines, the output of "wrangler tail --format json", or any lines that hold the gateway's records.`;

const EXAMPLES = `
Examples:
  npx wrangler tail --env production --format json > tail.json    (for as long as a day's callers take)
  npx edge report tail.json
  grep decision worker.log | npx edge report - --json`;

/** Refusals of one route for one reason. */
interface RouteRow {
  readonly route: string;
  readonly method: string;
  readonly error: ErrorCode;
  requests: number;
  readonly clients: Set<string>;
}

/** Refusals of one client. */
interface ClientRow {
  /** Undefined: nothing is known of callers whose signature did not hold, or who sent no token. */
  readonly clientId: string | undefined;
  readonly caller: string | undefined;
  requests: number;
  readonly errors: Set<ErrorCode>;
  readonly subjects: Set<string>;
  readonly routes: Set<string>;
}

/** A log, counted. */
interface Tally {
  readonly decisions: Record<DecisionLine["decision"], number>;
  readonly routes: Map<string, RouteRow>;
  readonly clients: Map<string, ClientRow>;
}

function entry<T>(rows: Map<string, T>, key: string, create: () => T): T {
  const known = rows.get(key);
  if (known !== undefined) return known;
  const row = create();
  rows.set(key, row);
  return row;
}

function count(tally: Tally, line: DecisionLine): void {
  tally.decisions[line.decision] += 1;
  const { would_have: error, method, route = "(none)", client_id: clientId, caller, sub } = line;
  if (line.decision !== "report" || error === undefined) return;
  const routeRow = entry(tally.routes, JSON.stringify([method, route, error]), () => ({
    route,
    method,
    error,
    requests: 0,
    clients: new Set<string>(),
  }));
  routeRow.requests += 1;
  if (clientId !== undefined) routeRow.clients.add(clientId);
  const clientRow = entry(tally.clients, JSON.stringify([clientId, caller]), () => ({
    clientId,
    caller,
    requests: 0,
    errors: new Set<ErrorCode>(),
    subjects: new Set<string>(),
    routes: new Set<string>(),
  }));
  clientRow.requests += 1;
  clientRow.errors.add(error);
  clientRow.routes.add(`${method} ${route}`);
  if (sub !== undefined) clientRow.subjects.add(sub);
}

const mostFirst = <T extends { requests: number }>(rows: Iterable<T>): T[] =>
  [...rows].toSorted((a, b) => b.requests - a.requests);

/** The tally as data. */
function reportOf({ decisions, routes, clients }: Tally) {
  const byRoute = mostFirst(routes.values());
  return {
    decisions,
    would_have_refused: decisions.report,
    by_route: byRoute.map(({ route, method, error, requests, clients: of }) => ({
      route,
      method,
      error,
      requests,
      clients: of.size,
    })),
    by_client: mostFirst(clients.values()).map(
      ({ clientId, caller, requests, errors, subjects, routes: on }) => ({
        client_id: clientId ?? null,
        caller: caller ?? null,
        requests,
        callers: subjects.size,
        errors: [...errors],
        routes: [...on],
      }),
    ),
    ways_out: Object.fromEntries(byRoute.map(({ error }) => [error, wayOut(error).operator])),
  };
}

async function report(file: string, _options: unknown, command: Command): Promise<void> {
  const output = createOutput(globalOptions(command));
  const tally: Tally = {
    decisions: { forward: 0, refuse: 0, report: 0, answer: 0 },
    routes: new Map(),
    clients: new Map(),
  };
  await readDecisions(file, (line) => count(tally, line));
  const { forward, refuse, report: reported, answer } = tally.decisions;
  const total = forward + refuse + reported + answer;
  if (total === 0)
    throw new RefusedError(`There is no record of the gateway in ${file === "-" ? "the input" : file}.`);
  const result = reportOf(tally);
  output.result(result, () => {
    output.line(
      `${counted(total, "request")}: ${forward} forwarded, ${reported} reported, ${refuse} refused, ${answer} answered.`,
    );
    if (reported === 0)
      return output.line('Nobody would have been refused by MODE = "enforce" who was let through.');
    output.line("\nEnforced, these would be refused, by route and reason:");
    output.table(
      ["requests", "method", "route", "error", "clients"],
      result.by_route.map((row) => [
        String(row.requests),
        row.method,
        shown(row.route),
        row.error,
        String(row.clients),
      ]),
    );
    output.line("\nBy client:");
    output.table(
      ["requests", "client_id", "caller", "people", "errors"],
      result.by_client.map((row) => [
        String(row.requests),
        row.client_id === null ? "(unknown: no valid token)" : shown(row.client_id),
        row.caller ?? "",
        String(row.callers),
        row.errors.join(" "),
      ]),
    );
    output.line("\nThe way out:");
    for (const [error, way] of Object.entries(result.ways_out)) output.line(`  ${error}: ${way}`);
  });
}

/** Adds `edge report`. */
export function register(program: Command): void {
  program
    .command("report")
    .description(DESCRIPTION)
    .argument("<file>", "the log, or - for standard input")
    .addHelpText("after", EXAMPLES)
    .action(report);
}
