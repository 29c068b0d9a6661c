/** Something that a check has found. Errors stop a deploy; warnings are to be read; notes are for the record. */
export interface Finding {
  readonly level: "error" | "warning" | "note";
  /** The environment, `policy`, or the file. */
  readonly where: string;
  /** `path: what is wrong`, or a sentence; for an error also what to do. */
  readonly what: string;
}

/** Did the check fail? */
export const hasErrors = (findings: readonly Finding[]): boolean =>
  findings.some(({ level }) => level === "error");

/** Builds the findings of one place. */
export function createFindings(where: string): {
  readonly list: Finding[];
  readonly error: (what: string) => void;
  readonly warning: (what: string) => void;
  readonly note: (what: string) => void;
} {
  const list: Finding[] = [];
  const add = (level: Finding["level"]) => (what: string) => void list.push({ level, where, what });
  return { list, error: add("error"), warning: add("warning"), note: add("note") };
}

/** A finding as one line of text. */
export const findingLine = ({ level, where, what }: Finding): string => `${level} ${where}: ${what}`;
