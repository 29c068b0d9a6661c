import { styleText } from "node:util";

/** What a command tells its user. */
export interface Output {
  /** The result: as JSON where that was asked for, else as `printHuman` prints it. */
  result(data: unknown, printHuman: () => void): void;
  /** A line of the result's text; beside JSON it goes to standard error. */
  line(text: string): void;
  /** Rows under a heading, in columns; beside JSON to standard error. */
  table(heading: readonly string[], rows: readonly (readonly string[])[]): void;
  /** Something beside the result, such as which copy is worked on: to standard error. */
  note(text: string): void;
  /** Something that deserves a second look: to standard error. */
  warn(text: string): void;
}

type Style = Parameters<typeof styleText>[0];

/** Words of tables and differences that are worth a colour, where colours are shown. */
const STYLES: Readonly<Record<string, Style>> = {
  error: "red",
  malformed: "red",
  "got through": "red",
  warning: "yellow",
  unclear: "yellow",
  disabled: "yellow",
};
const CHANGES: Readonly<Record<string, Style>> = { "+": "green", "-": "red", "~": "yellow", "!": "red" };

/** Plain unless the stream is a terminal that shows colours and nobody has set `NO_COLOR`. */
const styled = (style: Style, text: string, stream: NodeJS.WriteStream): string =>
  styleText(style, text, { stream, validateStream: true });

function tableLines(
  heading: readonly string[],
  rows: readonly (readonly string[])[],
  stream: NodeJS.WriteStream,
): string[] {
  const widths = heading.map((title, column) =>
    rows.reduce((width, row) => Math.max(width, row[column]?.length ?? 0), title.length),
  );
  const format = (cells: readonly string[], style: (cell: string) => Style | undefined): string =>
    cells
      .map((cell, column) => {
        const padded = column === cells.length - 1 ? cell : cell.padEnd(widths[column] ?? 0);
        const name = style(cell);
        return name === undefined ? padded : styled(name, padded, stream);
      })
      .join("  ")
      .trimEnd();
  return [format(heading, () => "bold"), ...rows.map((row) => format(row, (cell) => STYLES[cell]))];
}

/**
 * Creates the output of a command. With `json`, standard output holds one JSON document and nothing else;
 * everything that is said beside the result goes to standard error in either case.
 */
export function createOutput({ json }: { readonly json: boolean }): Output {
  const stream = json ? process.stderr : process.stdout;
  const line = (text: string): void => {
    const style = /^ {0,4}[-+~!] /.test(text) ? CHANGES[text.trimStart()[0] ?? ""] : undefined;
    stream.write(`${style === undefined ? text : styled(style, text, stream)}\n`);
  };
  return {
    result(data, printHuman) {
      if (json) process.stdout.write(`${JSON.stringify(data, null, 2)}\n`);
      else printHuman();
    },
    line,
    table(heading, rows) {
      for (const text of tableLines(heading, rows, stream)) stream.write(`${text}\n`);
    },
    note: (text) => void process.stderr.write(`${text}\n`),
    warn: (text) => void process.stderr.write(`${styled("yellow", "warning", process.stderr)} ${text}\n`),
  };
}
