import { type Command, Option } from "commander";
import { globalOptions, RefusedError, UsageError } from "./context.ts";
import type { KvPlace } from "./kv-documents.ts";
import { openKv } from "./kv-target.ts";
import { targetWords } from "./kv-target-words.ts";
import { makeChange, showPlan, warnOf } from "./m2m-change.ts";
import {
  ANY_TENANT,
  type ClientDocument,
  isClientId,
  isMalformed,
  isTenantEntry,
  normalDocument,
  plainDocument,
  type StoredDocument,
} from "./m2m-document.ts";
import { clientsFile, FILE_FORMATS, type FileFormat, readClientsFile } from "./m2m-file.ts";
import { planChanges, removesMuch } from "./m2m-plan.ts";
import { planJson, storedLine, tenantsText } from "./m2m-plan-text.ts";
import { documentsOf, readAllClients, readClients } from "./m2m-store.ts";
import { counted, shellWord, shown } from "./printable.ts";

const BINDING = "M2M_TENANTS";

const DESCRIPTION = `Say which tenants a machine client may act for: the allow-lists in KV.

A machine is let in by its allow-list alone. It holds tenants ("*" for any), perhaps a role, and may be disabled.
Every change is shown first and asked for, unless --yes. KV has no compare-and-swap: what is there is read again
right before a write, and a change by somebody else in between is refused with both sides shown.`;

const EXAMPLES = `
Examples:
  npx edge m2m list --env dev
  npx edge m2m grant CLIENT acme globex --role agent --env dev
  npx edge m2m revoke CLIENT globex --env dev            one tenant; without a tenant, the whole client
  npx edge m2m export --env production --remote > clients.json
  npx edge m2m plan clients.json --env production --remote
  npx edge m2m apply clients.json --env production --remote

A file holds all clients, in JSON or TOML, by client_id:
  { "CLIENT": { "tenants": ["acme", "globex"], "role": "agent" }, "OTHER": { "tenants": ["*"], "disabled": true } }`;

const storedJson = (document: StoredDocument): Record<string, unknown> =>
  isMalformed(document)
    ? { malformed: document.malformed }
    : { ...plainDocument(document), disabled: document.disabled };

const stateOf = (document: StoredDocument): string =>
  isMalformed(document)
    ? "malformed"
    : document.disabled
      ? "disabled"
      : document.tenants.length === 0
        ? "empty"
        : "";

function checkClientId(clientId: string): void {
  if (!isClientId(clientId))
    throw new UsageError("CLIENT is an app client id: 1 to 128 visible ASCII characters.");
}

function checkTenants(tenants: readonly string[]): void {
  for (const tenant of tenants)
    if (!isTenantEntry(tenant))
      throw new UsageError(
        `${JSON.stringify(tenant)} can be no tenant: it is 1 to 128 visible ASCII characters without comma, or "*".`,
      );
}

async function list(_options: unknown, command: Command): Promise<void> {
  const { place, output } = openKv(command, BINDING);
  const documents = [...documentsOf(await readAllClients(place))];
  const clients = documents.map(([clientId, document]) => ({ client_id: clientId, ...storedJson(document) }));
  output.result({ clients }, () => {
    if (documents.length === 0) return output.line("No client has an allow-list: no machine is let in.");
    output.table(
      ["client_id", "tenants", "role", "state"],
      documents.map(([clientId, document]) => [
        shown(clientId),
        isMalformed(document) ? "?" : shown(tenantsText(document.tenants), 60),
        isMalformed(document) ? "" : shown(document.role ?? ""),
        stateOf(document),
      ]),
    );
    output.line(`${counted(documents.length, "client")}.`);
  });
  for (const [clientId, document] of documents)
    if (isMalformed(document))
      output.warn(`${shown(clientId)} is malformed: the gateway answers it with 503 allowlist_unavailable.`);
}

async function show(clientId: string, _options: unknown, command: Command): Promise<void> {
  checkClientId(clientId);
  const kv = openKv(command, BINDING);
  const document = documentsOf(await readClients([clientId], kv.place)).get(clientId);
  if (document === undefined)
    throw new RefusedError(
      `${clientId} has no allow-list, so it is let in nowhere: npx edge m2m grant ${shellWord(clientId)} TENANT${targetWords(kv.place)}`,
    );
  const { output } = kv;
  output.result({ client_id: clientId, ...storedJson(document) }, () => {
    if (isMalformed(document)) return output.line(storedLine(document));
    output.line(`tenants   ${document.tenants.map((tenant) => shown(tenant)).join(", ") || "none"}`);
    output.line(`role      ${shown(document.role ?? "none")}`);
    output.line(`disabled  ${document.disabled ? "yes" : "no"}`);
  });
  if (isMalformed(document))
    output.warn("The gateway cannot read this, and answers the client with 503 allowlist_unavailable.");
  else await warnOf(new Map([[clientId, document]]), kv);
}

async function changeOne(
  clientId: string,
  command: Command,
  edit: (document: StoredDocument | undefined, place: KvPlace) => ClientDocument | undefined,
): Promise<void> {
  const kv = openKv(command, BINDING);
  const read = () => readClients([clientId], kv.place);
  const seen = await read();
  const after = edit(documentsOf(seen).get(clientId), kv.place);
  const wanted = new Map(after === undefined ? [] : [[clientId, after]]);
  await makeChange({ seen, wanted, readAgain: read, allowRemovals: undefined }, kv);
}

async function grant(
  clientId: string,
  tenants: readonly string[],
  { role }: { readonly role?: string },
  command: Command,
): Promise<void> {
  checkClientId(clientId);
  checkTenants(tenants);
  if (role === "") throw new UsageError("--role must not be empty.");
  await changeOne(clientId, command, (document) => {
    const before = document === undefined || isMalformed(document) ? undefined : document;
    return normalDocument({
      tenants: [...(before?.tenants ?? []), ...tenants],
      role: role ?? before?.role,
      disabled: before?.disabled,
    });
  });
}

async function revoke(
  clientId: string,
  tenants: readonly string[],
  _options: unknown,
  command: Command,
): Promise<void> {
  checkClientId(clientId);
  const named = new Set(tenants);
  await changeOne(clientId, command, (document, place) => {
    if (document === undefined || named.size === 0) return undefined;
    if (isMalformed(document))
      throw new RefusedError(
        `The document of ${clientId} is malformed, so no single tenant can be taken from it: ${storedLine(document)}\nTake the whole of it with npx edge m2m revoke ${shellWord(clientId)}${targetWords(place)}, or write it anew with grant.`,
      );
    if (document.tenants.includes(ANY_TENANT) && !named.has(ANY_TENANT))
      throw new RefusedError(
        `${clientId} may act for any tenant ("*"), so taking away single ones changes nothing: take "*", and grant those that it needs.`,
      );
    return { ...document, tenants: document.tenants.filter((tenant) => !named.has(tenant)) };
  });
}

async function plan(file: string, _options: unknown, command: Command): Promise<void> {
  const wanted = await readClientsFile(file);
  const kv = openKv(command, BINDING);
  const planned = planChanges(documentsOf(await readAllClients(kv.place)), wanted);
  const warnings = await warnOf(wanted, kv);
  kv.output.result({ ...planJson(planned), needs_allow_removals: removesMuch(planned), warnings }, () =>
    showPlan(planned, kv),
  );
}

async function apply(
  file: string,
  { allowRemovals }: { readonly allowRemovals: boolean },
  command: Command,
): Promise<void> {
  if (file === "-" && !globalOptions(command).yes)
    throw new UsageError("A file from standard input leaves nothing to answer with: use --yes.");
  const wanted = await readClientsFile(file);
  const kv = openKv(command, BINDING);
  const seen = await readAllClients(kv.place);
  await makeChange(
    {
      seen,
      wanted,
      allowRemovals,
      readAgain: ({ changes }) =>
        readAllClients(
          kv.place,
          changes.map(({ clientId }) => clientId),
        ),
    },
    kv,
  );
}

async function exportAll({ format }: { readonly format: FileFormat }, command: Command): Promise<void> {
  const { place, output, options } = openKv(command, BINDING);
  const clients = new Map<string, ClientDocument>();
  const malformed: string[] = [];
  for (const [clientId, document] of documentsOf(await readAllClients(place)))
    if (isMalformed(document)) malformed.push(`${shown(clientId)}: ${storedLine(document)}`);
    else clients.set(clientId, document);
  if (malformed.length > 0)
    throw new RefusedError(
      `Nothing was exported: a file cannot hold what the gateway cannot read. Grant or revoke these first:\n${malformed.join("\n")}`,
    );
  process.stdout.write(`${clientsFile(clients, options.json ? "json" : format)}\n`);
  output.note(`${counted(clients.size, "client")}.`);
}

/** Adds `edge m2m`. */
export function register(program: Command): void {
  const m2m = program.command("m2m").description(DESCRIPTION).addHelpText("after", EXAMPLES);
  m2m.command("list").description("List all clients with their tenants.").action(list);
  m2m
    .command("show")
    .description("Show all tenants of a client.")
    .argument("<client>", "the app client's id")
    .action(show);
  m2m
    .command("grant")
    .description("Let a client act for more tenants; its role and whether it is disabled stay.")
    .argument("<client>", "the app client's id")
    .argument("<tenant...>", 'tenants, or "*" for any')
    .option("--role <role>", "the role that it acts with")
    .action(grant);
  m2m
    .command("revoke")
    .description("Take tenants from a client; without a tenant, remove the client.")
    .argument("<client>", "the app client's id")
    .argument("[tenant...]", "tenants to take away")
    .action(revoke);
  m2m
    .command("plan")
    .description("Show what apply would do.")
    .argument("<file>", "all clients in JSON or TOML, or - for standard input")
    .action(plan);
  m2m
    .command("apply")
    .description("Make KV hold what a file of all clients says; what it does not name is removed.")
    .argument("<file>", "all clients in JSON or TOML, or - for standard input")
    .option("--allow-removals", "even where more than a third of the grants go", false)
    .action(apply);
  m2m
    .command("export")
    .description("Print all clients as a file that apply reads.")
    .addOption(new Option("--format <format>", "of the file").choices(FILE_FORMATS).default("json"))
    .action(exportAll);
}
