import { parse, stringify, TomlError } from "smol-toml";
import * as v from "valibot";
import { isTable } from "../core/shape.ts";
import { UsageError } from "./context.ts";
import { faultsOf } from "./faults.ts";
import {
  type ClientDocument,
  documentText,
  isClientId,
  isTenantEntry,
  MAX_DOCUMENT_BYTES,
  normalDocument,
  plainDocument,
} from "./m2m-document.ts";
import { printable } from "./printable.ts";
import { readInput } from "./token-input.ts";

/** Formats of a file of all clients. */
export const FILE_FORMATS = ["json", "toml"] as const;
/** One of {@link FILE_FORMATS}. */
export type FileFormat = (typeof FILE_FORMATS)[number];

const tenants = v.array(
  v.pipe(
    v.string("must be a string"),
    v.check(isTenantEntry, 'must be 1 to 128 visible ASCII characters without comma, or "*"'),
  ),
  "must be an array of tenants",
);
const document = v.strictObject(
  {
    tenants,
    role: v.optional(v.pipe(v.string("must be a string"), v.minLength(1, "must not be empty"))),
    disabled: v.optional(v.boolean("must be true or false"), false),
  },
  "must be a table with tenants, or an array of them",
);

function parseText(text: string, file: string): unknown {
  const isJson = file.endsWith(".json") || (!file.endsWith(".toml") && text.trimStart().startsWith("{"));
  try {
    return isJson ? JSON.parse(text) : parse(text);
  } catch (error) {
    const line = error instanceof TomlError ? `, line ${error.line}` : "";
    const reason = error instanceof Error ? printable(error.message.split("\n")[0] ?? "") : "";
    throw new UsageError(`${file}${line} is not ${isJson ? "JSON" : "TOML"}: ${reason}`);
  }
}

function parseClient(clientId: string, value: unknown, faults: string[]): ClientDocument | undefined {
  const before = faults.length;
  const name = printable(clientId);
  if (!isClientId(clientId))
    faults.push(`${JSON.stringify(clientId)}: is not an app client id of 1 to 128 visible ASCII characters`);
  const parsed = v.safeParse(document, Array.isArray(value) ? { tenants: value } : value);
  if (!parsed.success) {
    for (const issue of parsed.issues) {
      const [fault = ""] = faultsOf([issue]);
      faults.push(issue.path === undefined ? `${name}: ${fault}` : `${name}.${fault}`);
    }
    return undefined;
  }
  const normal = normalDocument(parsed.output);
  if (Buffer.byteLength(documentText(normal)) > MAX_DOCUMENT_BYTES)
    faults.push(`${name}: is larger than the 25 MiB that KV takes`);
  return faults.length > before ? undefined : normal;
}

/**
 * Reads a file of all clients, JSON or TOML: a table of documents by `client_id`, each as KV holds it.
 *
 * @throws {UsageError} that names every fault at once.
 */
export async function readClientsFile(file: string): Promise<ReadonlyMap<string, ClientDocument>> {
  const table = parseText(await readInput(file), file);
  if (!isTable(table)) throw new UsageError(`${file} must be a table of documents by client_id.`);
  const faults: string[] = [];
  const read = new Map<string, ClientDocument>();
  for (const [clientId, value] of Object.entries(table)) {
    const client = parseClient(clientId, value, faults);
    if (client !== undefined) read.set(clientId, client);
  }
  if (faults.length > 0) throw new UsageError(`${file} has faults:\n${faults.join("\n")}`);
  return read;
}

/** All clients as a file that {@link readClientsFile} reads. */
export function clientsFile(all: ReadonlyMap<string, ClientDocument>, format: FileFormat): string {
  const table = Object.fromEntries([...all].map(([clientId, client]) => [clientId, plainDocument(client)]));
  return format === "json" ? JSON.stringify(table, null, 2) : stringify(table).trimEnd();
}
