import { type Refusal, refusal } from "../errors.ts";
import { once } from "../once.ts";
import { isTable } from "../shape.ts";
import { decodeBase64url, decodedLength } from "./base64url.ts";

/** Characters of the longest token that is looked at. */
export const MAX_TOKEN_CHARS = 8192;

// RFC 6750 section 2.1 and RFC 7235: the scheme in any case, then blanks; or the bare token
const SCHEME = /^bearer +/i;
const USUAL_SCHEME = "Bearer ";
// What HTTP can carry in ASCII and base64url has not, in two halves: V8 looks for a set of at most 16 characters at 16 places
// of a text at once, and for a larger one at each place alone, which takes five times as long.
const FOREIGN = /[\t !"#$%&'()*+,/:]/;
const FOREIGN_TOO = /[;<=>?@[\\\]^`{|}~]/;

/** A JWS taken apart. Nothing in it is proven. */
export interface UnverifiedToken {
  readonly unverifiedHeader: Readonly<Record<string, unknown>>;
  readonly unverifiedClaims: Readonly<Record<string, unknown>>;
  /** What the signature is over: header and payload as they were sent, in ASCII. */
  readonly signingInput: string;
  /** Canonical base64url. */
  readonly signature: string;
}

// Read at once, and written anew for the next token: a buffer for each token costs a twentieth of a signature check.
const scratch = once(() => new Uint8Array(decodedLength(MAX_TOKEN_CHARS)));
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }); // a BOM stays, and JSON refuses it

function decodeObject(segment: string): Readonly<Record<string, unknown>> | undefined {
  const bytes = decodeBase64url(segment, scratch());
  if (bytes === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(utf8.decode(bytes));
    return isTable(value) ? value : undefined;
  } catch {
    return undefined; // not UTF-8, or not JSON
  }
}

// A pool's tokens have the same few headers: decoding one costs a twentieth of a signature check.
const MAX_HEADERS = 16;
const decodedHeaders = new Map<string, Readonly<Record<string, unknown>>>();

function decodeHeader(segment: string): Readonly<Record<string, unknown>> | undefined {
  const known = decodedHeaders.get(segment);
  if (known !== undefined) return known;
  const header = decodeObject(segment);
  if (header === undefined) return undefined;
  if (decodedHeaders.size === MAX_HEADERS) decodedHeaders.clear(); // a flood of invented ones only costs time
  decodedHeaders.set(segment, Object.freeze(header));
  return header;
}

/**
 * The token of an `Authorization` value: `Bearer <jwt>` or the bare `<jwt>`. Does not check that it is one.
 * Absent or empty: `missing_token`.
 */
export function bearerToken(authorization: string | null): string | Refusal {
  if (authorization === null || authorization === "") return refusal("missing_token");
  return authorization.startsWith(USUAL_SCHEME) && authorization[USUAL_SCHEME.length] !== " "
    ? authorization.slice(USUAL_SCHEME.length)
    : authorization.replace(SCHEME, "");
}

/** Two dots, at least? A look for them takes no time at all beside one at each character, or a hash of all. */
export const hasTwoDots = (token: string): boolean => token.indexOf(".", token.indexOf(".") + 1) !== -1;

/**
 * Does it hold a character that neither base64url nor a dot is? A quick look before anything is decoded, since the error
 * that a decoder throws takes longer than a whole refusal. It overlooks control characters but the tab, and what
 * is not ASCII: only the decoders are sure of the alphabet.
 */
export const isForeign = (token: string): boolean => FOREIGN.test(token) || FOREIGN_TOO.test(token);

/**
 * Decodes a JWS in compact form: three segments of canonical base64url, at most {@link MAX_TOKEN_CHARS}, the
 * first two JSON objects in UTF-8 (RFC 7515 section 5.2 steps 1 to 5). Anything else, two tokens or another
 * scheme among it: `malformed_token`. Verifies nothing.
 */
export function decodeToken(token: string): UnverifiedToken | Refusal {
  const headerEnd = token.indexOf(".");
  const payloadEnd = token.indexOf(".", headerEnd + 1);
  const hasThreeSegments = payloadEnd !== -1 && token.indexOf(".", payloadEnd + 1) === -1;
  if (token.length > MAX_TOKEN_CHARS || !hasThreeSegments || isForeign(token))
    return refusal("malformed_token");
  const unverifiedHeader = decodeHeader(token.slice(0, headerEnd));
  if (unverifiedHeader === undefined) return refusal("malformed_token");
  const unverifiedClaims = decodeObject(token.slice(headerEnd + 1, payloadEnd));
  if (unverifiedClaims === undefined) return refusal("malformed_token");
  const signature = token.slice(payloadEnd + 1);
  // decoded again when it is checked: the bytes cannot be kept until then, and decoding takes an eightieth of a check
  if (signature === "" || decodeBase64url(signature, scratch()) === undefined)
    return refusal("malformed_token");
  return { unverifiedHeader, unverifiedClaims, signingInput: token.slice(0, payloadEnd), signature };
}
