const ABSOLUTE = /^(?:[a-z][a-z0-9+.-]*:)?\/\//i;

const isUnder = (path: string, basePath: string): boolean =>
  path === basePath || path.startsWith(`${basePath}/`);

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
    return basePath !== "" && isUnder(path, basePath) ? location.slice(basePath.length) || "/" : location;
  }
  if (!URL.canParse(location, baseUrl)) return location;
  const url = new URL(location, baseUrl);
  if (url.origin !== new URL(baseUrl).origin || !isUnder(url.pathname, basePath)) return location;
  return gatewayOrigin + url.pathname.slice(basePath.length) + url.search + url.hash;
}
