import type { Parsed } from "../config.ts";

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

const PARAMETER = /^:[A-Za-z_][\w-]*$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const NOT_LITERAL = /[\\?#%;*\s\u0000-\u001f\u007f-\u009f]/;

function segmentFault(text: string): string | undefined {
  if (text === "") return "must have no empty segment, and no final slash: one never changes the decision";
  if (text === "." || text === "..") return "must have no dot segment";
  if (text.startsWith(":"))
    return PARAMETER.test(text) ? undefined : "must name a parameter with letters, digits, - and _";
  if (text.includes("*")) return "must have * only as its last segment";
  return NOT_LITERAL.test(text) ? "must be written decoded, without \\ ? # % ; * and blanks" : undefined;
}

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
  const faults = new Set<string>();
  const names = new Set<string>();
  const segments = parts.map((part): Segment => {
    const fault = segmentFault(part);
    if (fault !== undefined) faults.add(fault);
    if (!part.startsWith(":")) return { kind: "literal", text: part };
    const name = part.slice(1);
    if (names.has(name)) faults.add(`has the parameter ${name} twice`);
    names.add(name);
    return { kind: "param", name };
  });
  return faults.size === 0
    ? { ok: true, value: { text, segments, open } }
    : { ok: false, faults: [...faults] };
}
