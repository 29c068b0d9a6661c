import type { AtStart } from "../at-start.ts";
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

/** A segment; as text, what is wrong with it. */
const parseSegment = ((text: string): Segment | string => {
  if (text === "") return "must have no empty segment, and no final slash: one never changes the decision";
  if (text === "." || text === "..") return "must have no dot segment";
  if (text.startsWith(":")) {
    const name = text.slice(1);
    const isName = LETTERS.includes(name[0] ?? ":") && consistsOf(name, PARAMETER);
    return isName ? { kind: "param", name } : "must name a parameter with letters, digits, - and _";
  }
  if (text.includes("*")) return "must have * only as its last segment";
  // what no URL has to encode needs no regular expression (`consistsOf` says why)
  const isPlain = text.isWellFormed() && encodeURIComponent(text) === text;
  return isPlain || !NOT_LITERAL.test(text)
    ? { kind: "literal", text }
    : "must be written decoded, without \\ ? # % ; * and blanks";
}) satisfies AtStart;

/**
 * Parses a route's path. Its form: literal segments, `:name` for one segment, a final `/*` for zero or more;
 * `/` alone is the root.
 */
export const parsePattern = ((text: string): Parsed<Pattern> => {
  if (!text.startsWith("/")) return { ok: false, faults: ["must start with /"] };
  const open = text.endsWith("/*");
  const body = open ? text.slice(0, -2) : text;
  const parts = body === "" || body === "/" ? [] : body.slice(1).split("/");
  if (open && body === "/") parts.push("");
  const segments: Segment[] = [];
  const faults: string[] = [];
  for (let index = 0; index < parts.length; index += 1) {
    const part = parts[index] ?? "";
    const segment = parseSegment(part);
    if (typeof segment === "string") faults.push(segment);
    else segments.push(segment);
    if (part.startsWith(":") && parts.indexOf(part) < index)
      faults.push(`has the parameter ${part.slice(1)} twice`);
  }
  if (faults.length > 0) return { ok: false, faults: [...new Set(faults)] };
  return { ok: true, value: { text, segments, open } };
}) satisfies AtStart;
