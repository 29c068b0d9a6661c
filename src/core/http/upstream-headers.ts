import type { HeaderEdits, HeaderList } from "../decision.ts";
import type { CallerKind } from "../policy/schema.ts";
import type { Principal } from "../principal.ts";
import type { ClientHeaders } from "./client-headers.ts";

/** Who the origin is told is calling, all of it verified. */
export interface Identity {
  readonly principal: Principal;
  readonly tenant: string | undefined;
  readonly role: string | undefined;
}

/** What the gateway adds of its own, beside the identity. */
export interface ForwardingFacts {
  readonly requestId: string;
  /** Address of the connection; undefined where the platform names none. */
  readonly clientIp: string | undefined;
  /** `https` or `http`, and host, of the client's request. */
  readonly scheme: string;
  readonly host: string;
  /** Sent as `x-origin-secret`; undefined: none, as on reported requests. */
  readonly originSecret: string | undefined;
  readonly forwardAuthorization: boolean;
  /** Public routes: `x-tenant-id` passes as the caller's own word. */
  readonly keepTenantHeader: boolean;
}

const REMOVED = new Set([
  "host", // belongs to the origin's URL
  // hop-by-hop: RFC 9110 section 7.6.1
  "connection",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  // API Gateway REST APIs change the method by these, behind the route's back
  "x-http-method-override",
  "x-http-method",
  "x-method-override",
  "forwarded",
  "x-origin-secret",
  "x-request-id",
]);
const REMOVED_PREFIX = /^(?:x-auth-|x-forwarded-|proxy-)/;

const LINE_OVERHEAD = ": \r\n".length;

const encoder = new TextEncoder();
const NOT_PLAIN = /[^\x21-\x24\x26-\x2b\x2d-\x7e]/u; // outside visible ASCII, and % and ,
const EACH_NOT_PLAIN = new RegExp(NOT_PLAIN, "gu");

const percentEncode = (character: string): string =>
  Array.from(
    encoder.encode(character),
    (byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`,
  ).join("");

/** One item of a header value: all but visible ASCII, and `%` and `,`, percent-encoded as UTF-8. */
export const encodeItem = (text: string): string =>
  NOT_PLAIN.test(text) ? text.replace(EACH_NOT_PLAIN, percentEncode) : text;

type Header = readonly [name: string, value: string];

/** What becomes of a header, by its name alone. */
type Fate = "passes" | "removed" | "tenant" | "authorization";

/** `_` counts as `-`: many an origin folds the two into one name. */
function fateOf(name: string): Fate {
  const folded = name.replaceAll("_", "-");
  if (folded === "x-tenant-id") return "tenant";
  if (folded === "authorization") return "authorization";
  return REMOVED.has(folded) || REMOVED_PREFIX.test(folded) ? "removed" : "passes";
}

// Clients send the same few names again and again; a flood of invented ones is only not remembered.
const MAX_FATES = 500;
const MAX_REMEMBERED_CHARS = 64;
const fates = new Map<string, Fate>();

function rememberFate(name: string): Fate {
  const fate = fateOf(name);
  if (fates.size < MAX_FATES && name.length <= MAX_REMEMBERED_CHARS) fates.set(name, fate);
  return fate;
}

/** May a header of the client's pass? */
function passes(name: string, facts: ForwardingFacts): boolean {
  switch (fates.get(name) ?? rememberFate(name)) {
    case "passes":
      return true;
    case "tenant":
      return facts.keepTenantHeader;
    case "authorization":
      return facts.forwardAuthorization;
    default:
      return false;
  }
}

function addIdentity(headers: Header[], { principal, tenant, role }: Identity): void {
  const caller: CallerKind = principal.caller;
  headers.push(
    ["x-auth-caller", caller],
    ["x-auth-sub", encodeItem(principal.sub)],
    ["x-auth-token-use", principal.tokenUse],
  );
  const add = (name: string, value: string | undefined): void => {
    if (value !== undefined && value !== "") headers.push([name, value]);
  };
  const encodedTenant = tenant === undefined ? undefined : encodeItem(tenant);
  add("x-auth-tenant-id", encodedTenant);
  add("x-tenant-id", encodedTenant);
  add("x-auth-role", role && encodeItem(role));
  add("x-auth-client-id", principal.clientId && encodeItem(principal.clientId));
  add("x-auth-scope", principal.scopes.map(encodeItem).join(" "));
  add("x-auth-groups", principal.groups.map(encodeItem).join(","));
  add("x-auth-username", principal.username && encodeItem(principal.username));
}

/** What a `Connection` header names (RFC 9110 section 7.6.1). */
const namesOf = (connection: string): ReadonlySet<string> =>
  new Set(connection.split(",").map((name) => name.trim().toLowerCase()));

const lineChars = (name: string, value: string): number => name.length + value.length + LINE_OVERHEAD;

/** Edits, and how long what is left of the client's headers is. */
export interface UpstreamHeaders extends HeaderEdits {
  /** UTF-16 code units of the client's header lines that pass. */
  readonly passingChars: number;
}

/**
 * What becomes of the client's headers: hop-by-hop ones, method overrides and anything that could pass for the
 * gateway's word are removed, the gateway's own are set, each exactly once.
 */
export function upstreamHeaders(
  clientHeaders: ClientHeaders,
  identity: Identity | undefined,
  facts: ForwardingFacts,
): UpstreamHeaders {
  const remove: string[] = [];
  let passingChars = 0;
  let connection: string | undefined;
  for (const [name, value] of clientHeaders) {
    if (passes(name, facts)) passingChars += lineChars(name, value);
    else remove.push(name);
    if (name === "connection") connection = value;
  }
  if (connection !== undefined) {
    const named = namesOf(connection);
    for (const [name, value] of clientHeaders) {
      if (!named.has(name) || !passes(name, facts)) continue;
      remove.push(name);
      passingChars -= lineChars(name, value);
    }
  }
  const set: Header[] = [["x-request-id", facts.requestId]];
  if (facts.clientIp !== undefined) set.push(["x-forwarded-for", facts.clientIp]);
  set.push(["x-forwarded-proto", facts.scheme], ["x-forwarded-host", facts.host]);
  if (facts.originSecret !== undefined) set.push(["x-origin-secret", facts.originSecret]);
  if (identity !== undefined) addIdentity(set, identity);
  return { remove, set, passingChars };
}

/** The header lines that are sent: the client's that pass, then the gateway's own. */
export function editedHeaders(clientHeaders: ClientHeaders, { remove, set }: HeaderEdits): HeaderList {
  const removed = new Set(remove);
  return [...[...clientHeaders].filter(([name]) => !removed.has(name)), ...set];
}

const MAX_UTF8_BYTES = 3; // of one UTF-16 code unit
const HEAD_OVERHEAD = "  HTTP/1.1\r\n".length + "host".length + LINE_OVERHEAD;

/** Bytes of a request line and its header lines, `Host` among them, as HTTP/1.1 would spell them. */
export function requestHeadBytes(method: string, target: string, host: string, headers: HeaderList): number {
  let bytes = method.length + target.length + host.length + HEAD_OVERHEAD;
  for (const [name, value] of headers) bytes += name.length + utf8Length(value) + LINE_OVERHEAD;
  return bytes;
}

/** Do request line and header lines take at most `limitBytes`? Counts exactly only where it is close. */
export function requestHeadFits(
  method: string,
  target: string,
  host: string,
  clientHeaders: ClientHeaders,
  headers: UpstreamHeaders,
  limitBytes: number,
): boolean {
  let chars = method.length + target.length + host.length + HEAD_OVERHEAD + headers.passingChars;
  for (const [name, value] of headers.set) chars += lineChars(name, value);
  if (chars * MAX_UTF8_BYTES <= limitBytes) return true;
  return requestHeadBytes(method, target, host, editedHeaders(clientHeaders, headers)) <= limitBytes;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the range is that of ASCII
const ASCII = /^[\x00-\x7f]*$/;
const utf8Length = (text: string): number => (ASCII.test(text) ? text.length : encoder.encode(text).length);
