import { type ErrorCode, errorRow } from "../core/errors.ts";
import type { CallerKind } from "../core/policy/schema.ts";
import { environmentWords, type KvTarget, targetWords } from "./kv-target-words.ts";
import { shellWord } from "./printable.ts";

/** Who can do what about a refusal. */
export interface WayOut {
  /** What the caller is told. */
  readonly caller: string;
  /** What an operator looks at; a command where there is one. */
  readonly operator: string;
}

/** What is known of the request; each is put into a command in place of its general word. */
export interface WayOutFacts {
  readonly caller?: CallerKind | undefined;
  readonly clientId?: string | undefined;
  readonly tenant?: string | undefined;
  /** The environment and the copy of KV that were asked about; undefined: they are for the reader to fill in. */
  readonly target?: KvTarget | undefined;
}

/** One sentence, or one for each kind of caller. */
type Advice = string | { readonly user: string; readonly m2m: string };

const OPERATOR: Record<ErrorCode, Advice> = {
  invalid_path:
    "Nothing to change here: such a path could mean one thing to the gateway and another to the API.",
  missing_tenant_header: "Tell the owner of the machine client to send x-tenant-id on every request.",
  missing_token: 'If this route is for everybody, make it access: "public" in src/policy.ts.',
  malformed_token:
    "Look at what the client sends: npx edge token decode FILE shows a token that is well-formed.",
  invalid_signature:
    "Compare the token's iss with USER_POOLS in wrangler.toml; a token of another environment's pool ends here.",
  token_expired: "See that the client refreshes: npx edge token refresh shows that it works.",
  token_not_yet_valid:
    "Compare clocks; SKEW_TOLERANCE_SECONDS in wrangler.toml says how far they may differ.",
  invalid_claims:
    "Look for a pre-token-generation trigger that suppresses claims: npx edge token decode FILE.",
  invalid_token_use: "The route's tokenUse in src/policy.ts says which kinds of token it takes.",
  invalid_audience: "If this app client is yours, add CLIENT to client_ids of its pool in wrangler.toml.",
  token_revoked: "npx edge revocations TARGET shows the entry; npx edge unrevoke KIND VALUE TARGET lifts it.",
  caller_not_allowed: "The route's callers in src/policy.ts says who is let in.",
  missing_tenant_claim:
    "Set the user's tenant attribute, and see that the app client can read it and that access tokens carry it.",
  tenant_mismatch:
    "The caller names a tenant that is not its own; the user's tenant attribute says which is.",
  tenant_not_allowed: "npx edge m2m grant CLIENT TENANT TARGET",
  insufficient_role: {
    user: "aws cognito-idp admin-update-user-attributes --user-pool-id POOL --username USER --user-attributes Name=custom:role,Value=ROLE (and sign in again)",
    m2m: "npx edge m2m grant CLIENT TENANT --role ROLE TARGET",
  },
  insufficient_scope: "Allow the scope on the app client, and have the client ask for it.",
  insufficient_group:
    "aws cognito-idp admin-add-user-to-group --user-pool-id POOL --username USER --group-name GROUP",
  route_denied: 'The route says access: "deny" in src/policy.ts.',
  route_not_found: "Add a route to src/policy.ts if the API has this path and method.",
  method_not_allowed: "Nothing to change here.",
  rate_limited: "The limits are in wrangler.toml, under ratelimits.",
  headers_too_large: "Set FORWARD_AUTHORIZATION = false if the API does not read the token itself.",
  misconfigured: "npx edge check ENV names each fault.",
  internal_error: "Search the log for this request_id, and report the bug.",
  origin_unreachable: "See that ORIGIN_URL can be reached.",
  jwks_unavailable:
    "See that the pool exists and that its JWKS address answers; the gateway asks again by itself.",
  allowlist_unavailable: "npx edge m2m show CLIENT TARGET: the document is malformed, or KV cannot be read.",
  revocations_unavailable: "npx edge revocations TARGET: an entry is malformed, or KV cannot be read.",
  origin_timeout: "ORIGIN_TIMEOUT_MS in wrangler.toml says how long the gateway waits.",
};

/** What the caller and the operator can do about a refusal. */
export function wayOut(code: ErrorCode, facts: WayOutFacts = {}): WayOut {
  const { target } = facts;
  const words = { CLIENT: facts.clientId, TENANT: facts.tenant };
  const advice = OPERATOR[code];
  const operator = (typeof advice === "string" ? advice : advice[facts.caller ?? "user"])
    .replaceAll(/\b(?:CLIENT|TENANT)\b/g, (word) => shellWord(words[word as keyof typeof words] ?? word))
    .replaceAll(/ TARGET\b/g, () => (target === undefined ? " --env NAME --remote" : targetWords(target)))
    .replaceAll(/ ENV\b/g, () => (target === undefined ? " --env NAME" : environmentWords(target)));
  return { caller: errorRow(code).message, operator };
}
