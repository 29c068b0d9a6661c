import type { AtStart } from "../at-start.ts";
import type { CompiledRoute, Reach } from "./schema.ts";

/** Finds routes by decoded path segments. */
export interface Matcher {
  /** The first route of the table that takes this path and method, or undefined. */
  match(segments: readonly string[], method: string): CompiledRoute | undefined;
  /** The methods that the routes on this path take. */
  methods(segments: readonly string[]): readonly string[];
}

interface Entry {
  readonly order: number;
  readonly route: CompiledRoute;
}

interface Literal {
  readonly text: string;
  readonly node: Node;
}

interface Node {
  /** By {@link hash}. */
  readonly literals: Map<number, Literal[]>;
  param: Node | undefined;
  /** Routes that end here, in order. */
  readonly exact: Entry[];
  /** Routes with `/*` here, in order. */
  readonly open: Entry[];
}

const createNode = (): Node => ({ literals: new Map(), param: undefined, exact: [], open: [] });

const SMALL_INTEGER = 0x3fff_ffff; // V8 keeps these without an object

/**
 * Of every character, so that literals which are much alike cost no more. A Map of texts would have V8 intern each
 * segment of each request before it is looked up, which takes longer.
 */
function hash(text: string): number {
  let value = 0;
  for (let index = 0; index < text.length; index += 1)
    value = (Math.imul(value, 31) + text.charCodeAt(index)) & SMALL_INTEGER;
  return value;
}

function literalChild({ literals }: Node, text: string): Node | undefined {
  const withHash = literals.get(hash(text));
  if (withHash !== undefined) for (const literal of withHash) if (literal.text === text) return literal.node;
  return undefined;
}

function addLiteral({ literals }: Node, text: string): Node {
  const node = createNode();
  const withHash = literals.get(hash(text));
  if (withHash === undefined) literals.set(hash(text), [{ text, node }]);
  else withHash.push({ text, node });
  return node;
}

function insert(root: Node, entry: Entry): void {
  const { segments, open } = entry.route.pattern;
  let node = root;
  for (const segment of segments) {
    if (segment.kind === "literal") node = literalChild(node, segment.text) ?? addLiteral(node, segment.text);
    else {
      node.param ??= createNode();
      node = node.param;
    }
  }
  (open ? node.open : node.exact).push(entry);
}

/** Does it take this method? */
export const admits = (({ methods }: Reach, method: string): boolean =>
  methods === undefined || methods.has(method)) satisfies AtStart;

function earlier(entries: readonly Entry[], method: string, best: Entry | undefined): Entry | undefined {
  for (const entry of entries) {
    if (best !== undefined && entry.order > best.order) return best;
    if (admits(entry.route, method)) return entry;
  }
  return best;
}

/** Goes down every branch that the path can take (they are few) and keeps the earliest route it meets. */
function find(
  node: Node,
  segments: readonly string[],
  depth: number,
  method: string,
  best: Entry | undefined,
): Entry | undefined {
  let found = earlier(node.open, method, best);
  const segment = segments[depth];
  if (segment === undefined) return earlier(node.exact, method, found);
  const child = literalChild(node, segment);
  if (child !== undefined) found = find(child, segments, depth + 1, method, found);
  if (node.param !== undefined) found = find(node.param, segments, depth + 1, method, found);
  return found;
}

// What a route without `methods` is said to take; those of RFC 9110 that browsers and API Gateway use.
const COMMON_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/**
 * Compiles routes into a tree by segment, so that a look-up costs a few map reads, however many routes there
 * are. The first route of the table wins, as if they were tried one by one.
 */
export function createMatcher(routes: readonly CompiledRoute[]): Matcher {
  const root = createNode();
  for (const [order, route] of routes.entries()) insert(root, { order, route });
  const methods = [...new Set([...COMMON_METHODS, ...routes.flatMap((route) => [...(route.methods ?? [])])])];
  const match = (segments: readonly string[], method: string) =>
    find(root, segments, 0, method, undefined)?.route;
  return {
    match,
    methods: (segments) => methods.filter((method) => match(segments, method) !== undefined),
  };
}
