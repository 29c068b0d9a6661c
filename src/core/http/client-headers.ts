/** As much of a client's header lines as a decision asks for. `Headers` are such; names are in lower case. */
export interface ClientHeaders {
  get(name: string): string | null;
  has(name: string): boolean;
  forEach(visit: (value: string, name: string) => void): void;
}

/** All that a refused request is asked for: most of what is refused ends before anything else is of interest. */
const isAskedAlone = (name: string): boolean =>
  name === "authorization" || name === "x-request-id" || name === "origin";

/** A class, since a request would pay for each closure anew. */
class HeaderLines implements ClientHeaders {
  readonly #headers: Headers;
  /** Name, value, name, value: a pair for each line would be one object more. */
  #lines: readonly string[] | undefined;

  constructor(headers: Headers) {
    this.#headers = headers;
  }

  #readAll(): readonly string[] {
    const lines: string[] = [];
    // an iterator would make two objects more for each line
    this.#headers.forEach((value, name) => {
      lines.push(name, value);
    });
    this.#lines = lines;
    return lines;
  }

  get(wanted: string): string | null {
    if (this.#lines === undefined && isAskedAlone(wanted)) return this.#headers.get(wanted);
    const lines = this.#lines ?? this.#readAll();
    for (let index = 0; index < lines.length; index += 2)
      if (lines[index] === wanted) return lines[index + 1] ?? null;
    return null;
  }

  has(name: string): boolean {
    return this.get(name) !== null;
  }

  forEach(visit: (value: string, name: string) => void): void {
    const lines = this.#lines ?? this.#readAll();
    for (let index = 0; index < lines.length; index += 2) visit(lines[index + 1] ?? "", lines[index] ?? "");
  }
}

/**
 * The header lines of a request, whose headers nobody changes. A decision that lets a request pass asks for half a
 * dozen of them and goes through them all, and in workerd each question to `Headers` costs more than a look through
 * what has been read: so all are read with the first question that a refusal would not have asked.
 */
export const readHeaders = (headers: Headers): ClientHeaders => new HeaderLines(headers);
