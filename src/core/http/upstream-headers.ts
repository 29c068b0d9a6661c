import type { CallerKind } from "../policy/schema.ts";
import type { Principal } from "../principal.ts";

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

/** Takes away what a `Connection` header names (RFC 9110 section 7.6.1). */
function withoutNamed(headers: readonly Header[], connection: string): Header[] {
  const named = new Set(connection.split(",").map((name) => name.trim().toLowerCase()));
  return headers.filter(([name]) => !named.has(name));
}

/** The headers of the client's that pass, each value looked at once: in workerd that is most of the cost. */
function passedHeaders(clientHeaders: Headers, facts: ForwardingFacts): Header[] {
  const headers: Header[] = [];
  const connections: string[] = [];
  // a third cheaper than an iterator, which makes an object for each step
  clientHeaders.forEach((value, name) => {
    if (passes(name, facts)) headers.push([name, value]);
    else if (name === "connection") connections.push(value);
  });
  return connections.length === 0 ? headers : withoutNamed(headers, connections.join());
}

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

function identityHeaders({ principal, tenant, role }: Identity): Header[] {
  const caller: CallerKind = principal.caller;
  const headers: Header[] = [
    ["x-auth-caller", caller],
    ["x-auth-sub", encodeItem(principal.sub)],
    ["x-auth-token-use", principal.tokenUse],
  ];
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
  return headers;
}

/**
 * The headers of the request to the origin: the client's without hop-by-hop ones, method overrides and
 * anything that could pass for the gateway's word, then the gateway's own, each exactly once.
 */
export function upstreamHeaders(
  clientHeaders: Headers,
  identity: Identity | undefined,
  facts: ForwardingFacts,
): Header[] {
  const headers = passedHeaders(clientHeaders, facts);
  headers.push(["x-request-id", facts.requestId]);
  if (facts.clientIp !== undefined) headers.push(["x-forwarded-for", facts.clientIp]);
  headers.push(["x-forwarded-proto", facts.scheme], ["x-forwarded-host", facts.host]);
  if (facts.originSecret !== undefined) headers.push(["x-origin-secret", facts.originSecret]);
  if (identity !== undefined) headers.push(...identityHeaders(identity));
  return headers;
}

const LINE_OVERHEAD = ": \r\n".length;
const MAX_UTF8_BYTES = 3; // of one UTF-16 code unit
const HEAD_OVERHEAD = "  HTTP/1.1\r\n".length + "host".length + LINE_OVERHEAD;

/** Bytes of a request line and its header lines, `Host` among them, as HTTP/1.1 would spell them. */
export function requestHeadBytes(
  method: string,
  target: string,
  host: string,
  headers: readonly Header[],
): number {
  let bytes = `${method} ${target} HTTP/1.1\r\n`.length + "host".length + host.length + LINE_OVERHEAD;
  for (const [name, value] of headers) bytes += name.length + utf8Length(value) + LINE_OVERHEAD;
  return bytes;
}

/** Do request line and header lines take at most `limitBytes`? Counts exactly only where it is close. */
export function requestHeadFits(
  method: string,
  target: string,
  host: string,
  headers: readonly Header[],
  limitBytes: number,
): boolean {
  let characters = method.length + target.length + host.length + HEAD_OVERHEAD;
  for (const [name, value] of headers) characters += name.length + value.length + LINE_OVERHEAD;
  if (characters * MAX_UTF8_BYTES <= limitBytes) return true;
  return requestHeadBytes(method, target, host, headers) <= limitBytes;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the range is that of ASCII
const ASCII = /^[\x00-\x7f]*$/;
const utf8Length = (text: string): number => (ASCII.test(text) ? text.length : encoder.encode(text).length);
