import type { Issuer } from "../config.ts";
import { type Refusal, refusal } from "../errors.ts";
import type { Scope } from "../scope.ts";
import { createSingleFlight } from "../single-flight.ts";
import {
  type AskOutcome,
  adopt,
  getDocument,
  hasFailedSince,
  type IssuerKeys,
  isDocument,
  isFresh,
  type KeySetStores,
  loadStored,
  mayAsk,
  mayAskAhead,
  mayAskForUnknown,
  putDocument,
  servableSet,
} from "./issuer-keys.ts";
import { importKeySet, parseJwks } from "./key-set.ts";

/** Milliseconds that a request waits for a shared look-up: above the limits of all layers together. */
const SHARED_LIMIT_MS = 8_000;

/** Where a request found its key, as the log names it. */
export type KeyLayer = "memory" | "cache" | "kv" | "origin";

/** Cognito's answer: the decoded body of a 200, or another status. */
export interface JwksAnswer {
  readonly status: number;
  readonly body?: unknown;
}

/** Everything outside the isolate that keys come from. */
export interface JwksSources extends KeySetStores {
  /** Fetches a JWKS: 3 s, 64 KiB, no redirects. Rejects where there was no such answer. */
  fetch(jwksUrl: string): Promise<JwksAnswer>;
}

/** A key, and where it was found. */
export interface FoundKey {
  readonly key: CryptoKey;
  readonly layer: KeyLayer;
}

/** What the health endpoint tells of an issuer. */
export interface JwksHealth {
  readonly keys: number;
  /** Milliseconds since the epoch; undefined where there is no set. */
  readonly fetchedAtMs: number | undefined;
  /** The last fetch that has ended failed, and no newer set has come since. */
  readonly lastFetchFailed: boolean;
}

/** The key sets of all issuers: memory, then Cache API, then KV, then Cognito. One for each isolate. */
export interface Jwks {
  /** The key that `kid` names, if memory has it and it may still serve; begins to refresh a set that is not fresh. */
  findInMemory(issuer: Issuer, kid: string, sources: JwksSources, scope: Scope): FoundKey | undefined;
  /**
   * The key that `kid` names in the JWKS of `issuer`; without a promise where memory has it. Refuses with
   * `invalid_signature` where there is none, with `jwks_unavailable` where that cannot be told.
   */
  find(
    issuer: Issuer,
    kid: string,
    sources: JwksSources,
    scope: Scope,
  ): FoundKey | Refusal | Promise<FoundKey | Refusal>;
  /**
   * Asks Cognito and refreshes the stores, for a cron; a derived issuer only once it has an entry in KV, and none
   * within 10 s of a failure.
   */
  warm(issuer: Issuer, sources: JwksSources, scope: Scope): Promise<void>;
  /** What is known of an issuer's keys; looks in Cache API and KV, never at Cognito. */
  health(issuer: Issuer, sources: JwksSources, scope: Scope): Promise<JwksHealth>;
}

/** One issuer's keys, and what a request lends for looking after them. */
interface LookUp {
  readonly issuer: Issuer;
  readonly keys: IssuerKeys;
  readonly sources: JwksSources;
  readonly scope: Scope;
}

const ignoreFailure = (work: Promise<unknown>): Promise<unknown> => work.catch(() => undefined);

/** Fetches, imports and stores a set. A failure leaves the old one in place. */
async function fetchKeySet({ issuer, keys, sources, scope }: LookUp): Promise<AskOutcome> {
  const answer = await sources.fetch(issuer.jwksUrl);
  const isUnused = issuer.form === "updated" && keys.keySet === undefined && keys.neverStored;
  if (isUnused && (answer.status === 403 || answer.status === 404)) return "unused";
  if (answer.status !== 200) throw new Error(`status ${answer.status}`);
  const jwks = parseJwks(answer.body);
  const document = jwks && { issuer: issuer.issuer, fetched_at_ms: scope.now(), keys: jwks };
  const keySet = document && (await importKeySet(document, keys.keySet));
  if (keySet === undefined) throw new Error("no usable key");
  keys.keySet = keySet;
  scope.defer(putDocument("cache", keySet.document, sources, scope));
  scope.defer(putDocument("kv", keySet.document, sources, scope));
  return "ok";
}

async function askCognito(look: LookUp): Promise<AskOutcome> {
  const { issuer, keys, scope } = look;
  keys.askedAtMs = scope.now();
  keys.lastOutcome = "pending";
  try {
    keys.lastOutcome = await fetchKeySet(look);
    keys.failedAtMs = undefined;
  } catch (error) {
    keys.lastOutcome = "failed";
    keys.failedAtMs = scope.now();
    const reason = error instanceof Error ? error.message : "unknown";
    scope.report({ event: "jwks_fetch_failed", issuer: issuer.issuer, reason });
  }
  return keys.lastOutcome;
}

/** No key, and nothing more to ask: is it the token's fault, or ours? */
function withoutKey({ keys, scope }: LookUp): Refusal {
  const canTell = servableSet(keys, scope.now()) !== undefined && keys.lastOutcome === "ok";
  return refusal(canTell || keys.lastOutcome === "unused" ? "invalid_signature" : "jwks_unavailable");
}

/** Creates the isolate's key sets, empty. State is settled values with timestamps; there are no timers. */
export function createJwks(): Jwks {
  const issuers = new Map<string, IssuerKeys>();
  const asking = createSingleFlight<AskOutcome>(SHARED_LIMIT_MS);
  const loading = createSingleFlight<KeyLayer>(SHARED_LIMIT_MS);

  function keysOf({ issuer }: Issuer): IssuerKeys {
    const known = issuers.get(issuer);
    if (known !== undefined) return known;
    const keys: IssuerKeys = {
      keySet: undefined,
      askedAtMs: undefined,
      unknownAskedAtMs: undefined,
      lastOutcome: "ok",
      failedAtMs: undefined,
      neverStored: false,
    };
    issuers.set(issuer, keys);
    return keys;
  }

  /** Joins a question that is under way; starts one only if the last is long enough ago. Does not reject. */
  const ask = (look: LookUp): Promise<unknown> =>
    ignoreFailure(
      asking.join(look.issuer.issuer, look.scope, async () =>
        mayAsk(look.keys, look.scope.now()) ? askCognito(look) : look.keys.lastOutcome,
      ),
    );

  /** The same for an unknown `kid`, which need not wait for what was asked for a known one. */
  function askForUnknown(look: LookUp): Promise<unknown> {
    const { issuer, keys, scope } = look;
    if (!mayAskForUnknown(keys, scope.now())) return ask(look);
    keys.unknownAskedAtMs = scope.now();
    return ignoreFailure(asking.join(issuer.issuer, scope, () => askCognito(look)));
  }

  /** Brings memory up to date from the stores or, where they have nothing fresh, from Cognito. */
  const load = (look: LookUp): Promise<KeyLayer> =>
    loading.join(look.issuer.issuer, look.scope, async () => {
      const { issuer, keys, sources, scope } = look;
      const stored = await loadStored(keys, issuer.issuer, sources, scope);
      if (isFresh(keys, scope.now())) return stored ?? "memory";
      const asked = ask(look);
      if (servableSet(keys, scope.now()) === undefined) {
        await asked;
        return "origin";
      }
      scope.defer(asked); // the stale set serves meanwhile
      return stored ?? "memory";
    });

  const isLoading = ({ issuer, scope }: LookUp): boolean => loading.isUnderWay(issuer.issuer, scope);

  async function findUnknown(look: LookUp, kid: string): Promise<FoundKey | Refusal> {
    await askForUnknown(look);
    const key = servableSet(look.keys, look.scope.now())?.keys.get(kid);
    return key === undefined ? withoutKey(look) : { key, layer: "origin" };
  }

  async function findCold(look: LookUp, kid: string): Promise<FoundKey | Refusal> {
    const { keys, scope } = look;
    if (!mayAsk(keys, scope.now()) && !isLoading(look)) return withoutKey(look);
    const layer = await load(look).catch((): KeyLayer => "memory");
    const keySet = servableSet(keys, scope.now());
    if (keySet === undefined) return withoutKey(look);
    const key = keySet.keys.get(kid);
    if (key !== undefined) return { key, layer };
    if (layer !== "origin") return findUnknown(look, kid);
    keys.unknownAskedAtMs = keys.askedAtMs; // this very request has asked
    return withoutKey(look);
  }

  function findInMemory(
    issuer: Issuer,
    kid: string,
    sources: JwksSources,
    scope: Scope,
  ): FoundKey | undefined {
    const keys = keysOf(issuer);
    const nowMs = scope.now();
    const key = servableSet(keys, nowMs)?.keys.get(kid);
    if (key === undefined) return undefined;
    if (!isFresh(keys, nowMs) && mayAsk(keys, nowMs)) {
      const look: LookUp = { issuer, keys, sources, scope };
      if (!isLoading(look)) scope.defer(ignoreFailure(load(look)));
    }
    return { key, layer: "memory" };
  }

  return {
    findInMemory,
    find(issuer, kid, sources, scope) {
      const found = findInMemory(issuer, kid, sources, scope);
      if (found !== undefined) return found;
      const look: LookUp = { issuer, keys: keysOf(issuer), sources, scope };
      return servableSet(look.keys, scope.now()) === undefined ? findCold(look, kid) : findUnknown(look, kid);
    },

    async warm(issuer, sources, scope) {
      const keys = keysOf(issuer);
      const stored = await getDocument("kv", issuer.issuer, sources, scope);
      const hasEntry = stored === "corrupt" || isDocument(stored);
      if (!hasEntry && issuer.form !== "explicit") return;
      if (hasEntry) keys.neverStored = false;
      if (isDocument(stored)) await adopt(keys, stored);
      await asking.join(issuer.issuer, scope, async () =>
        mayAskAhead(keys, scope.now()) ? askCognito({ issuer, keys, sources, scope }) : keys.lastOutcome,
      );
    },

    async health(issuer, sources, scope) {
      const keys = keysOf(issuer);
      if (!isFresh(keys, scope.now())) await loadStored(keys, issuer.issuer, sources, scope);
      const keySet = servableSet(keys, scope.now());
      return {
        keys: keySet?.keys.size ?? 0,
        fetchedAtMs: keySet?.document.fetched_at_ms,
        lastFetchFailed: hasFailedSince(keys),
      };
    },
  };
}
