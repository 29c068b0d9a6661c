import { type Asked, createDecideByHand, type Decided, recordOf } from "../decide-by-hand.ts";
import { fail, textOf } from "../task.ts";
import { createVerifyByHand, type IssuerKey, type Remembered } from "../verify-by-hand.ts";

interface Env {
  readonly ORIGIN_URL: string;
  readonly ORIGIN_TIMEOUT_MS: number;
  readonly CORS_ORIGINS: readonly string[];
  /** The key of ID tokens. */
  readonly KEY: IssuerKey;
}

interface Waiting {
  waitUntil(work: Promise<unknown>): void;
}

const MAX_TOKENS = 12_000;

/** What was decided on a request, and what it was decided on. */
interface Passage {
  readonly asked: Asked;
  readonly decided: Decided;
  readonly known: Remembered;
  readonly colo: unknown;
  readonly startedAtMs: number;
}

async function createGateway({ ORIGIN_URL, ORIGIN_TIMEOUT_MS, CORS_ORIGINS, KEY }: Env) {
  const { find, decide } = createDecideByHand(ORIGIN_URL);
  const { key, verify } = await createVerifyByHand(KEY);
  const keySet = { fetchedAtMs: Date.now(), keys: new Map([[textOf(KEY.kid), key]]) };
  const verified = new Map<string, Remembered>();
  const corsOrigins = new Set(CORS_ORIGINS);

  function answerOf(response: Response, passage: Passage, sentAtMs: number): Response {
    const { asked, decided, known, colo, startedAtMs } = passage;
    const passed = new Response(response.body, response);
    const { headers } = passed;
    response.headers.forEach((_value, name) => {
      if (name.startsWith("access-control-") || name === "vary" || name === "location")
        fail("not with this line");
    });
    if (decided.origin !== undefined && corsOrigins.has(decided.origin)) {
      headers.set("access-control-allow-origin", decided.origin);
      headers.set("vary", "Origin");
      headers.set("access-control-expose-headers", "www-authenticate, x-request-id, retry-after");
    }
    headers.set("x-request-id", decided.requestId);
    const nowMs = Date.now();
    const originMs = nowMs - sentAtMs;
    const ended = {
      status: passed.status,
      edgeMs: nowMs - startedAtMs - originMs,
      originMs,
      colo: typeof colo === "string" ? colo : undefined,
    };
    console.log(recordOf(asked, decided, known, ended));
    return passed;
  }

  function forward(passage: Passage): Promise<Response> {
    const { url, remove, set } = passage.decided;
    const headers = new Headers(passage.asked.headers);
    for (const name of remove) headers.delete(name);
    for (const [name, value] of set) headers.set(name, value);
    const sentAtMs = Date.now();
    const { method } = passage.asked;
    const work = fetch(url, { method, headers, redirect: "manual", cache: "no-store" });
    return new Promise((resolve, reject) => {
      const timer = setTimeout(reject, ORIGIN_TIMEOUT_MS, "timeout");
      work.then((response) => {
        clearTimeout(timer);
        try {
          if (response.status >= 520) fail("not with this status");
          resolve(answerOf(response, passage, sentAtMs));
        } catch (error) {
          reject(error);
        }
      }, reject);
    });
  }

  return (request: Request): Promise<Response> => {
    const startedAtMs = Date.now();
    const { method, url, headers } = request;
    const colo = (request as { readonly cf?: { readonly colo?: unknown } }).cf?.colo;
    if (request.body !== null) return fail("not with a body");
    const asked = { method, url, headers };
    const found = find(asked);
    const authorization = headers.get("authorization");
    if (!authorization?.startsWith("Bearer ")) return fail("no token");
    const token = authorization.slice("Bearer ".length);
    const pass = (known: Remembered): Promise<Response> =>
      forward({ asked, decided: decide(asked, found, known, keySet, startedAtMs), known, colo, startedAtMs });
    const known = verified.get(token);
    if (known !== undefined) {
      if (startedAtMs < known.untilMs) return pass(known);
      verified.delete(token);
    }
    if (verified.size === MAX_TOKENS) verified.clear();
    return verify(token, verified, startedAtMs).then(pass, () => new Response(null, { status: 401 }));
  };
}

let gateway: Awaited<ReturnType<typeof createGateway>> | undefined;

async function prepared(env: Env): Promise<NonNullable<typeof gateway>> {
  gateway ??= await createGateway(env);
  return gateway;
}

/**
 * A whole gateway by hand: what the gateway owes a `GET` without a body and with an ID token of one key, whether it has
 * seen it before or not, and a response without `Vary`, `Location` and CORS lines. Anything else ends in an exception,
 * and a token that does not hold in a bare 401.
 */
export default {
  fetch(request: Request, env: Env, context: Waiting): Promise<Response> {
    const response =
      gateway === undefined ? prepared(env).then((handle) => handle(request)) : gateway(request);
    context.waitUntil(response);
    return response;
  },
};
