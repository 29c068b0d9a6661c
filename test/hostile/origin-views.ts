/** Dot segments resolved, empty segments dropped, as servers and frameworks do. */
function resolve(segments: readonly string[]): string[] {
  const resolved: string[] = [];
  for (const segment of segments) {
    if (segment === "..") resolved.pop();
    else if (segment !== "" && segment !== ".") resolved.push(segment);
  }
  return resolved;
}

const decode = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

/**
 * The segments that an origin could take a path for: as it stands, decoded before or after it is split, decoded
 * twice, parsed as a URL, with backslashes for slashes, without path parameters.
 */
export function originViews(path: string): string[][] {
  const texts = [path, new URL(`http://origin${path}`).pathname];
  const once = texts.map(decode);
  const all = [...texts, ...once, ...once.map(decode)];
  const tolerant = all.flatMap((text) => [
    text,
    text.replaceAll("\\", "/"),
    text.replace(/;[^/]*/g, ""),
    text.split(/[?#]/, 1)[0] ?? "",
    text.split("\u0000", 1)[0] ?? "",
  ]);
  return tolerant.flatMap((text) => [resolve(text.split("/")), resolve(text.split("/").map(decode))]);
}

/** What hostile paths are made of. */
export const PATH_PIECES = [
  ...["/", "/", "/", "//", "\\", ".", "..", "/../", "/./", "...", ";", ";x=1", ":", "*", "|", "~", "'", "%"],
  ...["%2e", "%2E", "%2e%2e", "%252e", "%%32%65", "%%32e", "%2%65", "%25", "%%", "%2", "%e", "%zz", "%u002e"],
  ...["%2f", "%2F", "%252f", "%5c", "%5C", "%3b", "%3f", "%23", "%00", "%0a", "%7f", "%20", "%3a", "%2c"],
  ...[
    "%c0%ae",
    "%c0%af",
    "%e0%80%af",
    "%c3%a9",
    "%C3%A9",
    "%ff",
    "%ed%a0%80",
    "%ef%bc%8f",
    "%61",
    "%41",
    "%6D",
  ],
  ...[
    "pub",
    "admin",
    "adm",
    "in",
    "t",
    "acme",
    "globex",
    "x",
    "PUB",
    "Admin",
    "%70ub",
    "%61dmin",
    "%67lobex",
  ],
] as const;
