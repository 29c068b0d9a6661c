import type { Parsed } from "../config.ts";
import { consistsOf } from "./characters.ts";

/** One segment of a pattern: a literal, compared percent-decoded, or a parameter. */
export type Segment =
  | { readonly kind: "literal"; readonly text: string }
  | { readonly kind: "param"; readonly name: string };

/** A route's path, taken apart. */
export interface Pattern {
  /** As written in the policy: `/v1/tenants/:tenantId/*`. */
  readonly text: string;
  readonly segments: readonly Segment[];
  /** Ends in `/*`: zero or more further segments. */
  readonly open: boolean;
}

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
const PARAMETER = `${LETTERS}0123456789-`;

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const NOT_LITERAL = /[\\?#%;*\s\u0000-\u001f\u007f-\u009f]/;

/** May a segment be spelled so? What no URL has to encode needs no regular expression ({@link consistsOf} says why). */
const isLiteral = (text: string): boolean =>
  (text.isWellFormed() && encodeURIComponent(text) === text) || !NOT_LITERAL.test(text);

const isParameter = (text: string): boolean => text.startsWith(":");

function segmentFault(text: string): string | undefined {
  if (text === "") return "must have no empty segment, and no final slash: one never changes the decision";
  if (text === "." || text === "..") return "must have no dot segment";
  if (isParameter(text)) {
    const isName = LETTERS.includes(text[1] ?? ":") && consistsOf(text.slice(1), PARAMETER);
    return isName ? undefined : "must name a parameter with letters, digits, - and _";
  }
  if (text.includes("*")) return "must have * only as its last segment";
  return isLiteral(text) ? undefined : "must be written decoded, without \\ ? # % ; * and blanks";
}

const segmentOf = (text: string): Segment =>
  isParameter(text) ? { kind: "param", name: text.slice(1) } : { kind: "literal", text };

const isFault = (fault: string | undefined): fault is string => fault !== undefined;
const isRepeated = (text: string, index: number, texts: readonly string[]): boolean =>
  texts.indexOf(text) < index;

/**
 * Parses a route's path. Its form: literal segments, `:name` for one segment, a final `/*` for zero or more;
 * `/` alone is the root.
 */
export function parsePattern(text: string): Parsed<Pattern> {
  if (!text.startsWith("/")) return { ok: false, faults: ["must start with /"] };
  const open = text.endsWith("/*");
  const body = open ? text.slice(0, -2) : text;
  const parts = body === "" || body === "/" ? [] : body.slice(1).split("/");
  if (open && body === "/") parts.push("");
  const faults = parts.map(segmentFault).filter(isFault);
  const repeated = parts.filter(isParameter).filter(isRepeated);
  if (faults.length === 0 && repeated.length === 0)
    return { ok: true, value: { text, segments: parts.map(segmentOf), open } };
  const twice = repeated.map((part) => `has the parameter ${part.slice(1)} twice`);
  return { ok: false, faults: [...new Set([...faults, ...twice])] };
}
