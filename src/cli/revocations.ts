import { type Command, Option } from "commander";
import { confirmChange } from "./confirm.ts";
import { RefusedError, UsageError } from "./context.ts";
import { deleteKeys, type KvPlace, writeValues } from "./kv-documents.ts";
import { openKv } from "./kv-target.ts";
import { targetWords } from "./kv-target-words.ts";
import { counted, moment, shown } from "./printable.ts";
import {
  isAtLeast,
  KIND_NAMES,
  kindOf,
  LONGEST_TOKEN_SECONDS,
  MIN_TTL_SECONDS,
  parseTime,
  type RevocationDocument,
  readRevocation,
  refusesBefore,
  revocationKey,
  valueFault,
} from "./revocation-document.ts";
import { findRevocation, type ListedRevocation, listRevocations } from "./revocation-store.ts";

const BINDING = "REVOCATIONS";
const inForce = ({ remote }: KvPlace): string =>
  remote
    ? "In force within about 90 s everywhere: KV's own delay of up to 60 s, and the gateway's copy of 30 s."
    : "In force within 30 seconds.";

const REVOKE_DESCRIPTION = `Refuse tokens before they expire, with 401 token_revoked.

  jti         one token                          origin-jti  all tokens of one sign-in
  sub         a person, or a machine             client      all tokens of an app client
  tenant      everybody of a tenant              kid         all tokens that a key has signed

For sub, client and tenant, tokens issued before now are refused and later ones are good, so that signing in again
helps; --before names another moment. For the others all tokens are refused. An entry is kept for as long as such a
token can live, and for kid until it is lifted.`;

const REVOKE_EXAMPLES = `
Examples:
  npx edge revoke sub 8b0e5c1e-0000-4000-8000-000000000001 --env production --remote
  npx edge revoke client CLIENT --before 2026-11-24T08:00:00Z --env production --remote
  npx edge revoke kid KEY --env production --remote`;

interface RevokeOptions {
  readonly before?: string;
  readonly ttl?: string;
}

/** The entry that the command line asks for. */
interface Wanted {
  readonly key: string;
  readonly document: RevocationDocument;
  readonly ttlSeconds: number | undefined;
}

function readTarget(word: string, value: string) {
  const kind = kindOf(word);
  if (kind === undefined) throw new UsageError(`KIND is one of ${KIND_NAMES.join(", ")}.`);
  const fault = valueFault(kind, value);
  if (fault !== undefined) throw new UsageError(fault);
  return { kind, key: revocationKey(kind, value) };
}

/** The earliest TTL at which the last token that the entry refuses has expired by itself. */
const neededTtl = ({ before }: RevocationDocument, nowMs: number): number =>
  LONGEST_TOKEN_SECONDS + Math.max(0, Math.floor((before ?? 0) - nowMs / 1000));

function readWanted(word: string, value: string, { before, ttl }: RevokeOptions, nowMs: number): Wanted {
  const { kind, key } = readTarget(word, value);
  const time = before ?? (refusesBefore(kind) ? "now" : undefined);
  const seconds = time === undefined ? undefined : parseTime(time, nowMs);
  if (time !== undefined && seconds === undefined)
    throw new UsageError("--before is now, seconds since the epoch, or a date such as 2026-11-24T08:00:00Z.");
  const document = seconds === undefined ? {} : { before: seconds };
  if (kind === "kid") {
    if (ttl !== undefined)
      throw new UsageError("A kid is revoked until edge unrevoke lifts it: it takes no --ttl.");
    return { key, document, ttlSeconds: undefined };
  }
  const ttlSeconds = ttl === undefined ? neededTtl(document, nowMs) : Number(ttl);
  if (!Number.isInteger(ttlSeconds) || ttlSeconds < MIN_TTL_SECONDS)
    throw new UsageError(`--ttl is a number of seconds, ${MIN_TTL_SECONDS} or more: KV takes no less.`);
  return { key, document, ttlSeconds };
}

const refusesText = (document: RevocationDocument | undefined, nowMs: number): string =>
  document === undefined
    ? "malformed"
    : document.before === undefined
      ? "all tokens"
      : `issued before ${moment(document.before, nowMs)}`;

const endsText = (seconds: number | undefined, nowMs: number): string =>
  seconds === undefined ? "never" : moment(seconds, nowMs);

const entryJson = (entry: ListedRevocation) => {
  const { kind, value, document } = readRevocation(entry);
  return {
    key: entry.name,
    kind: kind ?? null,
    value,
    ...(document === undefined ? { malformed: entry.text ?? entry.metadata } : document),
    expires: entry.expiration ?? null,
  };
};

const entryText = (entry: ListedRevocation, nowMs: number): string =>
  `${shown(entry.name)}: ${refusesText(readRevocation(entry).document, nowMs)}; kept until ${endsText(entry.expiration, nowMs)}`;

async function revoke(word: string, value: string, options: RevokeOptions, command: Command): Promise<void> {
  const nowMs = Date.now();
  const { key, document, ttlSeconds } = readWanted(word, value, options, nowMs);
  const { place, output, options: global } = openKv(command, BINDING);
  const known = await findRevocation(key, place);
  const expiration = ttlSeconds === undefined ? undefined : Math.floor(nowMs / 1000) + ttlSeconds;
  if (known !== undefined) output.line(`- ${entryText(known, nowMs)}`);
  const kept = expiration === undefined ? "" : "about "; // KV counts from the moment of the write
  output.line(
    `+ ${shown(key)}: ${refusesText(document, nowMs)}; kept until ${kept}${endsText(expiration, nowMs)}`,
  );
  const before = known === undefined ? undefined : readRevocation(known).document;
  if (before !== undefined && !isAtLeast(document, before))
    output.warn("This lets tokens in again that the entry that is there refuses.");
  if (ttlSeconds !== undefined && ttlSeconds < neededTtl(document, nowMs))
    output.warn(
      `A token can live for ${LONGEST_TOKEN_SECONDS} s: one that outlives the entry is good again after it.`,
    );
  await confirmChange(global.yes, "Write this entry?");
  await writeValues(
    [{ key, value: JSON.stringify(document), metadata: document, expirationTtl: ttlSeconds }],
    place,
  );
  const written = await findRevocation(key, place);
  if (written === undefined || readRevocation(written).document?.before !== document.before)
    throw new RefusedError(
      `KV does not hold what was written: it has ${written === undefined ? "nothing" : entryText(written, nowMs)}. Run it again.`,
    );
  output.result({ ok: true, revoked: entryJson(written) }, () =>
    output.line(
      `Revoked, and read back; kept until ${endsText(written.expiration, nowMs)}. ${inForce(place)}`,
    ),
  );
}

async function unrevoke(word: string, value: string, _options: unknown, command: Command): Promise<void> {
  const { key } = readTarget(word, value);
  const { place, output, options } = openKv(command, BINDING);
  const nowMs = Date.now();
  const known = await findRevocation(key, place);
  if (known === undefined)
    return output.result({ ok: true, lifted: null }, () =>
      output.line(
        `There is no entry ${shown(key)}: nothing to change. npx edge revocations${targetWords(place)} lists all.`,
      ),
    );
  output.line(`- ${entryText(known, nowMs)}`);
  await confirmChange(options.yes, "Lift this revocation? Tokens that have not expired are good again.");
  await deleteKeys([key], place);
  if ((await findRevocation(key, place)) !== undefined)
    throw new RefusedError(`KV still lists ${shown(key)}. Run it again in a minute.`);
  output.result({ ok: true, lifted: entryJson(known) }, () =>
    output.line(`Lifted, and read back. ${inForce(place)}`),
  );
}

async function list(_options: unknown, command: Command): Promise<void> {
  const { place, output } = openKv(command, BINDING);
  const nowMs = Date.now();
  const entries = await listRevocations(place);
  output.result({ revocations: entries.map(entryJson) }, () => {
    if (entries.length === 0) return output.line("Nothing is revoked.");
    output.table(
      ["kind", "value", "refuses", "kept until"],
      entries.map((entry) => {
        const { kind, value, document } = readRevocation(entry);
        return [kind ?? "?", shown(value), refusesText(document, nowMs), endsText(entry.expiration, nowMs)];
      }),
    );
    output.line(`${counted(entries.length, "entry", "entries")}.`);
  });
  for (const entry of entries) {
    const { kind, document } = readRevocation(entry);
    if (kind === undefined) output.warn(`${shown(entry.name)} is of no kind that the gateway knows.`);
    else if (document === undefined)
      output.warn(
        `${shown(entry.name)} is malformed: whom it names is answered with 503. Write it anew with edge revoke.`,
      );
  }
}

const withTarget = (command: Command): Command =>
  command.argument("<kind>", KIND_NAMES.join(", ")).argument("<value>", "as the token or its request has it");

/** Adds `edge revoke`, `edge unrevoke` and `edge revocations`. */
export function register(program: Command): void {
  withTarget(program.command("revoke").description(REVOKE_DESCRIPTION))
    .addOption(
      new Option("--before <time>", "refuse tokens issued before: now, epoch seconds or an ISO 8601 date"),
    )
    .option(
      "--ttl <seconds>",
      `how long the entry is kept (default: ${LONGEST_TOKEN_SECONDS}; kid: for ever)`,
    )
    .addHelpText("after", REVOKE_EXAMPLES)
    .action(revoke);
  withTarget(
    program
      .command("unrevoke")
      .description("Lift a revocation: tokens that have not expired are good again."),
  ).action(unrevoke);
  program.command("revocations").description("List what is revoked, and until when.").action(list);
}
