import type { JWK } from "jose";
import type { Issuer } from "../../../src/core/config.ts";
import { isRefusal } from "../../../src/core/errors.ts";
import { createJwks, type Jwks, type JwksAnswer, type JwksSources } from "../../../src/core/token/jwks.ts";
import { createFakeScope, type FakeScope } from "../../support/fake-scope.ts";

/** Where the tests' clocks begin, in milliseconds since the epoch. */
export const START_MS = 1_800_000_000_000;
export const ISSUER: Issuer = {
  issuer: "https://cognito.example/us-east-2_A",
  jwksUrl: "https://cognito.example/us-east-2_A/keys",
  form: "explicit",
};

/** A Cache API or KV of the tests: a map that can fail or hang. */
export interface FakeStore {
  readonly entries: Map<string, unknown>;
  readonly gets: string[];
  readonly puts: string[];
  /** Takes the place of a read. */
  onGet: ((issuer: string) => Promise<unknown>) | undefined;
  /** Every write is refused. */
  refusesWrites: boolean;
}

/** Cognito, the stores and the clock, shared by as many isolates as a test wants. */
export interface JwksWorld {
  readonly scope: FakeScope;
  readonly sources: JwksSources;
  readonly cache: FakeStore;
  readonly kv: FakeStore;
  /** What Cognito publishes. */
  keys: readonly unknown[];
  /** Takes the place of Cognito's answer. */
  onFetch: (() => Promise<JwksAnswer>) | undefined;
  /** Milliseconds since {@link START_MS} of every question to Cognito. */
  readonly asked: number[];
  /** URLs of the questions. */
  readonly urls: string[];
  isolate(): Isolate;
  /** Events and stores of the notices, as `event` or `event store`. */
  reported(): string[];
  /** A stored set, as another isolate would have written it. */
  document(keys: readonly JWK[], fetchedAtMs: number, issuer?: string): Record<string, unknown>;
}

/** One isolate with its memory. */
export interface Isolate {
  readonly jwks: Jwks;
  /** The layer in which the key was found, or the code of the refusal. */
  find(kid: string, issuer?: Issuer): Promise<string>;
}

function createStore(): FakeStore & { get(issuer: string): Promise<unknown> } & JwksSources["kv"] {
  const store = {
    entries: new Map<string, unknown>(),
    gets: [] as string[],
    puts: [] as string[],
    onGet: undefined as FakeStore["onGet"],
    refusesWrites: false,
    async get(issuer: string): Promise<unknown> {
      store.gets.push(issuer);
      return store.onGet === undefined ? store.entries.get(issuer) : store.onGet(issuer);
    },
    async put(issuer: string, document: unknown): Promise<void> {
      store.puts.push(issuer);
      if (store.refusesWrites) throw new Error("write refused");
      store.entries.set(issuer, structuredClone(document));
    },
  };
  return store;
}

/** Creates a world in which Cognito publishes `keys` and the stores are empty. */
export function createJwksWorld(keys: readonly unknown[]): JwksWorld {
  const scope = createFakeScope(START_MS);
  const cache = createStore();
  const kv = createStore();
  const asked: number[] = [];
  const urls: string[] = [];
  const world: JwksWorld = {
    scope,
    cache,
    kv,
    keys,
    onFetch: undefined,
    asked,
    urls,
    sources: {
      cache,
      kv,
      async fetch(url) {
        asked.push(scope.now() - START_MS);
        urls.push(url);
        return world.onFetch === undefined
          ? { status: 200, body: { keys: structuredClone(world.keys) } }
          : world.onFetch();
      },
    },
    isolate() {
      const jwks = createJwks();
      return {
        jwks,
        async find(kid, issuer = ISSUER) {
          const found = await jwks.find(issuer, kid, world.sources, scope);
          return isRefusal(found) ? found.code : found.layer;
        },
      };
    },
    reported: () =>
      scope.notices.map(({ event, store }) => (store === undefined ? event : `${event} ${String(store)}`)),
    document: (jwks, fetchedAtMs, issuer = ISSUER.issuer) => ({
      issuer,
      fetched_at_ms: fetchedAtMs,
      keys: jwks.map(({ kid, n, e }) => ({ kid, n, e })),
    }),
  };
  return world;
}

/** An answer of Cognito's with this status and no body. */
export const answering = (status: number) => async (): Promise<JwksAnswer> => ({ status });
/** Cognito cannot be reached. */
export const unreachable = async (): Promise<never> => {
  throw new Error("connection refused");
};
