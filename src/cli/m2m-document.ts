import * as v from "valibot";
import { isTenant } from "../core/principal.ts";
import { parseAllowList } from "../core/tenant/allow-list.ts";

/** The allow-list of a machine client, in its normal form: tenants sorted, each once. */
export interface ClientDocument {
  /** `"*"` among them: any tenant. */
  readonly tenants: readonly string[];
  readonly role: string | undefined;
  readonly disabled: boolean;
}

/** What KV holds for a client: a document, or text that the gateway cannot read and answers with 503. */
export type StoredDocument = ClientDocument | { readonly malformed: string };

/** Every tenant. */
export const ANY_TENANT = "*";
/** Of a value in KV (Cloudflare: KV limits). */
export const MAX_DOCUMENT_BYTES = 25 * 1024 * 1024;

const CLIENT_ID = /^[\x21-\x7e]{1,128}$/;

/** Can this be the id of an app client, and a key in KV? */
export const isClientId = (text: string): boolean => CLIENT_ID.test(text) && text !== "." && text !== "..";

/** Can this stand in an allow-list: a tenant, or `"*"` for all of them? */
export const isTenantEntry = (value: string): boolean => value === ANY_TENANT || isTenant(value);

/** Is this a text that the gateway cannot read? */
export const isMalformed = (document: StoredDocument): document is { readonly malformed: string } =>
  "malformed" in document;

const shape = v.object({
  tenants: v.array(v.string()),
  role: v.optional(v.string()),
  disabled: v.optional(v.boolean(), false),
});

/** Brings a document into its normal form. */
export function normalDocument({
  tenants,
  role,
  disabled = false,
}: {
  readonly tenants: Iterable<string>;
  readonly role?: string | undefined;
  readonly disabled?: boolean | undefined;
}): ClientDocument {
  return { tenants: [...new Set(tenants)].toSorted(), role, disabled };
}

/** Reads what KV holds. The gateway's own reader says whether it is a document. */
export function readStored(text: string): StoredDocument {
  if (parseAllowList(text) === undefined) return { malformed: text };
  const value: unknown = JSON.parse(text);
  return normalDocument(v.parse(shape, Array.isArray(value) ? { tenants: value } : value));
}

/** A document as KV and files hold it: members without a meaning are left out. */
export const plainDocument = ({ tenants, role, disabled }: ClientDocument): Record<string, unknown> => ({
  tenants,
  ...(role !== undefined && { role }),
  ...(disabled && { disabled }),
});

/** The text to write into KV. */
export const documentText = (document: ClientDocument): string => JSON.stringify(plainDocument(document));

/** Tenants that the gateway lets the client act for: none while it is disabled. */
export const grantsOf = (document: StoredDocument | undefined): readonly string[] =>
  document === undefined || isMalformed(document) || document.disabled ? [] : document.tenants;

/** What of a document deserves a second look. `roles`: those of the policy; undefined: it cannot be read. */
export function documentWarnings(
  clientId: string,
  { tenants, role, disabled }: ClientDocument,
  roles: readonly string[] | undefined,
): string[] {
  const impossible = tenants.filter((tenant) => !isTenantEntry(tenant));
  return [
    ...(role !== undefined && roles !== undefined && !roles.includes(role)
      ? [
          `${clientId}: role ${JSON.stringify(role)} is not one of the policy (${roles.join(", ") || "it has none"}), so it opens nothing`,
        ]
      : []),
    ...(impossible.length > 0
      ? [`${clientId}: ${JSON.stringify(impossible[0])} can be nobody's tenant, so it matches nobody`]
      : []),
    ...(tenants.includes(ANY_TENANT) && tenants.length > 1
      ? [`${clientId}: "*" is any tenant, so the others beside it make no difference`]
      : []),
    ...(disabled && tenants.length > 0 ? [`${clientId}: is disabled, so its tenants open nothing`] : []),
  ];
}
