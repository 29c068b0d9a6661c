const ORIGIN_OF_OTHER_SCHEME = /^[a-z][a-z0-9+.-]*:\/\/[a-z0-9.-]+(?::\d{1,5})?$/; // capacitor://localhost

/** Parses an absolute URL; undefined where it is none. */
export const parseUrl = (text: string): URL | undefined => (URL.canParse(text) ? new URL(text) : undefined);

/** Is `text` exactly what a browser sends as `Origin`? `null` and `*` are not. */
export const isBrowserOrigin = (text: string): boolean => {
  const url = parseUrl(text);
  if (url === undefined) return false;
  return url.origin === "null" ? ORIGIN_OF_OTHER_SCHEME.test(text) : url.origin === text;
};
