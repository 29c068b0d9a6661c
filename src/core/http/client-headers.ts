/** As much of a client's header lines as a decision asks for. `Headers` are such; names are in lower case. */
export interface ClientHeaders extends Iterable<readonly [name: string, value: string]> {
  get(name: string): string | null;
  has(name: string): boolean;
}

/**
 * Reads all header lines at once. A decision asks for half a dozen of them and goes through them all; in workerd each
 * question to `Headers` costs more than a look through what has been read.
 */
export function readHeaders(headers: Headers): ClientHeaders {
  const lines: (readonly [name: string, value: string])[] = [];
  // an iterator would make two objects more for each line
  headers.forEach((value, name) => {
    lines.push([name, value]);
  });
  const get = (wanted: string): string | null => {
    for (const [name, value] of lines) if (name === wanted) return value;
    return null;
  };
  return { get, has: (name) => get(name) !== null, [Symbol.iterator]: () => lines.values() };
}
