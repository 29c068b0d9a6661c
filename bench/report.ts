import { readFile, writeFile } from "node:fs/promises";
import type { Figure, Results, Row } from "./result.ts";
import type { Spread } from "./statistics.ts";

const BEGIN = "<!-- bench:begin, written by npm run bench -->";
const END = "<!-- bench:end -->";

const digits = (value: number): number => (Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2);
const number = (value: number): string =>
  value.toLocaleString("en-US", {
    minimumFractionDigits: Number.isInteger(value) ? 0 : digits(value),
    maximumFractionDigits: digits(value),
  });
const ratio = (value: number): string => value.toFixed(value < 0.1 ? 3 : 2);

const withSpread = (spread: Spread | undefined, write: (value: number) => string): string => {
  if (spread === undefined) return "";
  const { median, p25, p75 } = spread;
  return p25 === p75 ? write(median) : `${write(median)} (${write(p25)}–${write(p75)})`;
};

const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [line(head), line(head.map((_, index) => (index < 2 ? "---" : "--:"))), ...rows.map(line)].join("\n");

const limitOf = ({ bound, limit, unit }: Figure): string =>
  `${bound === "most" ? "≤" : "≥"} ${number(limit)}${unit === "ratio" ? "" : ` ${unit}`}`;

function figureTable(figures: readonly Figure[]): string {
  const write = ({ unit }: Figure, value: number): string =>
    unit === "ratio" ? ratio(value) : `${number(value)} ${unit}`;
  const rows = figures.map((figure) => [
    figure.name,
    limitOf(figure),
    figure.floor === undefined ? "" : write(figure, figure.floor),
    write(figure, figure.value),
    figure.met ? "yes" : "**no**",
  ]);
  return table(["figure", "limit", "floor", "measured", "met"], rows);
}

function groupTable(rows: readonly Row[], group: Row["group"]): string {
  const own = rows.filter((row) => row.group === group);
  const name = ({ workload, contender }: Row): string[] => [workload, contender];
  switch (group) {
    case "verification":
      return table(
        ["workload", "contender", "µs", "over bare verify", "µs of CPU", "CPU over bare verify"],
        own.map((row) => [
          ...name(row),
          withSpread(row.value, number),
          withSpread(row.ratio, ratio),
          withSpread(row.cpu, number),
          withSpread(row.cpuRatio, ratio),
        ]),
      );
    case "requests":
      return table(
        [
          "workload",
          "contender",
          "µs of CPU",
          "CPU over pass-through",
          "requests a second",
          "over pass-through",
        ],
        own.map((row) => [
          ...name(row),
          withSpread(row.value, number),
          withSpread(row.ratio, ratio),
          withSpread(row.perSecond, number),
          withSpread(row.perSecondRatio, ratio),
        ]),
      );
    case "parts":
      return table(
        ["duties", "contender", "µs of CPU", "over pass-through"],
        own.map((row) => [...name(row), withSpread(row.value, number), withSpread(row.ratio, ratio)]),
      );
    case "node":
      return table(
        ["workload", "contender", "µs", "over bare verify"],
        own.map((row) => [...name(row), withSpread(row.value, number), withSpread(row.ratio, ratio)]),
      );
    case "footprint":
      return table(
        ["what", "of", "measured"],
        own.map((row) => [...name(row), `${withSpread(row.value, number)} ${row.unit}`]),
      );
  }
}

/** The whole result as Markdown. */
export function markdownOf(results: Results): string {
  const { machine, versions, figures, rows, date, loadAverage, scale } = results;
  const packages = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    `Measured ${date.slice(0, 10)} on ${machine.cores} cores of ${machine.cpu}, workerd ${machine.workerd}, Node ${machine.node}, ${packages.join(", ")}. Load of the machine before the run: ${loadAverage.toFixed(1)}.${scale === "quick" ? " A quick run: its numbers mean nothing." : ""}`,
    "Medians, with the quartiles in brackets.",
    "### Figures to hold",
    figureTable(figures),
    "### Verification and decision, in workerd",
    groupTable(rows, "verification"),
    "### Whole requests, through workerd to an origin on loopback",
    groupTable(rows, "requests"),
    "### What a whole request is made of, all in one isolate",
    groupTable(rows, "parts"),
    "### In Node",
    groupTable(rows, "node"),
    "### Footprint",
    groupTable(rows, "footprint"),
  ].join("\n\n");
}

/** Puts the tables between the markers of a page. Throws where they are missing. */
export async function updatePage(file: string, markdown: string): Promise<void> {
  const page = await readFile(file, "utf8");
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin === -1 || end < begin) throw new Error(`${file} has no markers for the benchmark's table`);
  await writeFile(file, `${page.slice(0, begin + BEGIN.length)}\n\n${markdown}\n\n${page.slice(end)}`);
}
