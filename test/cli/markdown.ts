import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";

const ROOT = new URL("../../", import.meta.url).pathname;
const SKIPPED = new Set(["node_modules", "reports", "coverage", "dist"]);

/** A page of the repository. */
export interface Page {
  /** Relative to the repository's folder. */
  readonly path: string;
  readonly text: string;
}

/** Reads a file of the repository. */
export const readRepositoryFile = (path: string): string => readFileSync(join(ROOT, path), "utf8");

function markdownIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.name.startsWith(".") || SKIPPED.has(entry.name)) return [];
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return markdownIn(path);
    return entry.name.endsWith(".md") ? [relative(ROOT, path)] : [];
  });
}

/** Every page of the repository. */
export const readPages = (): readonly Page[] =>
  markdownIn(ROOT).map((path) => ({ path, text: readRepositoryFile(path) }));

/** A table: its first line and the others, cell by cell. */
export interface Table {
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

const cells = (line: string): string[] =>
  line
    .replace(/^\||\|$/g, "")
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim());

/** The tables of a page. */
export function tablesOf(text: string): readonly Table[] {
  const blocks = text.match(/(?:^\|.*\|$\n?)+/gm) ?? [];
  return blocks.map((block) => {
    const [header = [], , ...rows] = block.trimEnd().split("\n").map(cells);
    return { header, rows };
  });
}

/** The tables whose first column has this title. */
export const tablesOn = (text: string, title: string): readonly Table[] =>
  tablesOf(text).filter(({ header }) => header[0] === title);

/** What stands between single backticks. */
export const codesIn = (text: string): string[] =>
  [...text.matchAll(/`([^`\n]+)`/g)].map((match) => match[1] ?? "");

/** The codes of the first column of every table with this title. */
export const namesOn = (text: string, title: string): string[] =>
  tablesOn(text, title).flatMap(({ rows }) => rows.flatMap(([first = ""]) => codesIn(first)));

const withoutCode = (text: string): string => text.replace(/^```[\s\S]*?^```/gm, "");

/** The addresses of a page's headings, as GitHub makes them. */
export function anchorsOf(text: string): ReadonlySet<string> {
  const headings = [...withoutCode(text).matchAll(/^#{1,6} +(.+)$/gm)].map((match) => match[1] ?? "");
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\p{M} _-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}

/** The targets of a page's links, but for those that lead out of the repository. */
export const linksOf = (text: string): string[] =>
  [...withoutCode(text).matchAll(/\]\(([^()\s]+)\)/g)]
    .map((match) => match[1] ?? "")
    .filter((target) => !/^[a-z]+:/.test(target));
