import type { HeaderEdits, HeaderList } from "../decision.ts";
import { encodeItem } from "../header-item.ts";
import type { CallerKind } from "../policy/schema.ts";
import type { Principal } from "../principal.ts";
import { utf8Length } from "../utf8.ts";
import type { ClientHeaders } from "./client-headers.ts";

/** Who the origin is told is calling, all of it verified. */
export interface Identity {
  readonly principal: Principal;
  readonly tenant: string | undefined;
  readonly role: string | undefined;
  /** The principal's claims are known to need no encoding; default: each is looked at. */
  readonly isPlain?: boolean;
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

// Not the client's to say: `host`, which belongs to the origin's URL; hop-by-hop headers (RFC 9110 section 7.6.1); method
// overrides, by which API Gateway REST APIs change the method behind the route's back; where the client is; what only the
// gateway says. `_` counts as `-`: many an origin folds the two into one name. A regular expression is run as machine
// code; a Map or a Set would intern each name of each request first.
const IS_REMOVED =
  /^(?:(?:host|connection|keep[-_]alive|te|trailer|transfer[-_]encoding|upgrade|x[-_]http[-_]method(?:[-_]override)?|x[-_]method[-_]override|forwarded|x[-_]origin[-_]secret|x[-_]request[-_]id|x[-_]tenant[-_]id)$|proxy[-_]|x[-_]forwarded[-_]|x[-_]auth[-_])/;
const IS_TENANT = /^x[-_]tenant[-_]id$/;

const LINE_OVERHEAD = ": \r\n".length;

type Header = readonly [name: string, value: string];

/** May a header of the client's pass? */
function passes(name: string, { keepTenantHeader, forwardAuthorization }: ForwardingFacts): boolean {
  if (name === "authorization") return forwardAuthorization;
  return !IS_REMOVED.test(name) || (keepTenantHeader && IS_TENANT.test(name));
}

const asItIs = (text: string): string => text;

function addIdentity(headers: Header[], { principal, tenant, role, isPlain = false }: Identity): void {
  const caller: CallerKind = principal.caller;
  const encode = isPlain ? asItIs : encodeItem;
  // a machine's are no claims of its token
  const areClaims = tenant === principal.tenantClaim && role === principal.roleClaim;
  const encodeGranted = areClaims ? encode : encodeItem;
  headers.push(
    ["x-auth-caller", caller],
    ["x-auth-sub", encode(principal.sub)],
    ["x-auth-token-use", principal.tokenUse],
  );
  const add = (name: string, value: string | undefined): void => {
    if (value !== undefined && value !== "") headers.push([name, value]);
  };
  const encodedTenant = tenant === undefined ? undefined : encodeGranted(tenant);
  add("x-auth-tenant-id", encodedTenant);
  add("x-tenant-id", encodedTenant);
  add("x-auth-role", role && encodeGranted(role));
  add("x-auth-client-id", principal.clientId && encode(principal.clientId));
  if (principal.scopes.length > 0) add("x-auth-scope", principal.scopes.map(encode).join(" "));
  if (principal.groups.length > 0) add("x-auth-groups", principal.groups.map(encode).join(","));
  add("x-auth-username", principal.username && encode(principal.username));
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
  clientHeaders.forEach((value, name) => {
    if (passes(name, facts)) passingChars += lineChars(name, value);
    else remove.push(name);
  });
  const connection = clientHeaders.get("connection");
  if (connection !== null) {
    const named = namesOf(connection);
    clientHeaders.forEach((value, name) => {
      if (!named.has(name) || !passes(name, facts)) return;
      remove.push(name);
      passingChars -= lineChars(name, value);
    });
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
  const lines: Header[] = [];
  clientHeaders.forEach((value, name) => {
    if (!removed.has(name)) lines.push([name, value]);
  });
  return [...lines, ...set];
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
