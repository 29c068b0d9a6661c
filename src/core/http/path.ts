/** A path in the one spelling that is matched and forwarded. */
export interface CanonicalPath {
  /** As forwarded, with its trailing slash if it came with one. */
  readonly path: string;
  /** Percent-decoded segments, without the empty one after a trailing slash. */
  readonly segments: readonly string[];
}

// Segments of visible ASCII, none of them empty but perhaps the last; no backslash and no semicolon.
const WELL_FORMED = /^\/(?:[\w\-.~!$&'()*+,=:@|^[\]"<>`{}%]+(?:\/(?!\/)|$))*$/;
const UNRESERVED = /[A-Za-z0-9\-._~]/;
// What an origin could take for a delimiter after decoding, and control characters (C0, DEL and C1).
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const FORBIDDEN_DECODED = /[/\\?#%;\u0000-\u001f\u007f-\u009f]/;
const ENCODED_ASCII = /%([2-7][0-9A-Fa-f])/g;
const BAD_ESCAPE = /%(?![0-9A-Fa-f]{2})/;

const decodeUnreserved = (path: string): string =>
  path.replace(ENCODED_ASCII, (encoded, hex: string) => {
    const character = String.fromCharCode(Number.parseInt(hex, 16));
    return UNRESERVED.test(character) ? character : encoded;
  });

function decodeSegment(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment); // throws on a bad escape, on bad UTF-8 and on overlong forms
  } catch {
    return undefined;
  }
}

/** A path that begins with a slash, by segment. Cut by hand: `split` leaves machine code for each path that it has not seen lately. */
export function splitPath(path: string): string[] {
  const segments: string[] = [];
  let start = 1;
  for (let end = path.indexOf("/", start); end !== -1; end = path.indexOf("/", start)) {
    segments.push(path.slice(start, end));
    start = end + 1;
  }
  if (start < path.length) segments.push(path.slice(start));
  return segments;
}

/**
 * The canonical form of the path of a request (contract: matched is what is forwarded), or undefined for
 * `invalid_path`. Percent-encoded unreserved characters are decoded (RFC 3986 section 6.2.2.2); everything
 * else stays as it came. Refused: a path that does not start with `/`, empty and dot segments, `\`, `;`,
 * control characters, characters outside ASCII, bad escapes or UTF-8, and encoded `/ \ ? # % ;`.
 */
export function canonicalPath(rawPath: string): CanonicalPath | undefined {
  if (!WELL_FORMED.test(rawPath)) return undefined;
  const isEncoded = rawPath.includes("%");
  // before anything is decoded: `%%32%65` would turn into `%2e`, which the origin decodes once more
  if (isEncoded && BAD_ESCAPE.test(rawPath)) return undefined;
  const path = isEncoded ? decodeUnreserved(rawPath) : rawPath;
  const parts = splitPath(path);
  for (const part of parts) if (part === "." || part === "..") return undefined;
  if (!isEncoded) return { path, segments: parts };
  const segments: string[] = [];
  for (const encoded of parts) {
    const segment = decodeSegment(encoded);
    if (segment === undefined || FORBIDDEN_DECODED.test(segment)) return undefined;
    segments.push(segment);
  }
  return { path, segments };
}

/** The parts of an absolute http(s) URL, cut out of the text without parsing it anew. */
export interface UrlParts {
  /** Scheme and authority: `https://api.example.com`. */
  readonly origin: string;
  readonly rawPath: string;
  /** From `?` on, byte for byte, or empty. */
  readonly search: string;
}

/** Cuts a serialized absolute URL, as `Request.url` gives it. A fragment is dropped. */
export function urlParts(url: string): UrlParts {
  const hash = url.indexOf("#");
  const whole = hash === -1 ? url : url.slice(0, hash);
  const pathStart = whole.indexOf("/", whole.indexOf("://") + 3);
  if (pathStart === -1) return { origin: whole, rawPath: "/", search: "" };
  const searchStart = whole.indexOf("?", pathStart);
  const pathEnd = searchStart === -1 ? whole.length : searchStart;
  return {
    origin: whole.slice(0, pathStart),
    rawPath: whole.slice(pathStart, pathEnd),
    search: whole.slice(pathEnd),
  };
}
