const ABSOLUTE = /^(?:[a-z][a-z0-9+.-]*:)?\/\//i;

// What a URL parser takes for the start of a host; it skips tabs and newlines.
const OTHER_HOST = /^\/[\t\n\r]*[/\\]/;

const isUnder = (path: string, basePath: string): boolean =>
  path === basePath || path.startsWith(`${basePath}/`);

/** A path without the stage path: what is left must be neither empty nor the name of another host. */
function withoutBase(location: string, basePath: string, gatewayOrigin: string): string {
  const rest = location.slice(basePath.length);
  if (OTHER_HOST.test(rest)) return gatewayOrigin + rest;
  return rest.startsWith("/") ? rest : `/${rest}`;
}

/**
 * A `Location` of the origin as the client has to see it: one under the origin's URL gets the gateway's own
 * address, without the stage path. Relative ones keep their form; all others stay as they are.
 */
export function rewriteLocation(
  location: string,
  origin: { readonly baseUrl: string; readonly basePath: string },
  gatewayOrigin: string,
): string {
  const { baseUrl, basePath } = origin;
  if (!ABSOLUTE.test(location)) {
    const [path = ""] = location.split(/[?#]/, 1);
    return basePath !== "" && isUnder(path, basePath)
      ? withoutBase(location, basePath, gatewayOrigin)
      : location;
  }
  if (!URL.canParse(location, baseUrl)) return location;
  const url = new URL(location, baseUrl);
  if (url.origin !== new URL(baseUrl).origin || !isUnder(url.pathname, basePath)) return location;
  return gatewayOrigin + url.pathname.slice(basePath.length) + url.search + url.hash;
}
