import { isRefusal } from "../core/errors.ts";
import type { ClientHeaders } from "../core/http/client-headers.ts";
import { bearerToken, MAX_TOKEN_CHARS } from "../core/token/bearer.ts";
import { parseJwks } from "../core/token/key-set.ts";
import type { Trace } from "./explain-run.ts";
import { printable, shown } from "./printable.ts";

function whyMalformed(headers: ClientHeaders): string {
  const token = bearerToken(headers.get("authorization"));
  if (isRefusal(token)) return "";
  if (token.length > MAX_TOKEN_CHARS)
    return `${token.length} characters; at most ${MAX_TOKEN_CHARS} are looked at`;
  if (/\s/.test(token.trim())) return "another scheme than Bearer, or more than one token";
  if (token !== token.trim()) return "blanks around the token";
  const segments = token.split(".");
  if (segments.length !== 3) return `${segments.length} segments; a signed JWT has three`;
  if (segments.some((segment) => !/^[\w-]+$/.test(segment)))
    return segments.includes("")
      ? "an empty segment: the token is not signed"
      : "characters outside base64url";
  return "header and payload are not JSON objects in base64url";
}

/** What stands in the way of a signature, in the order in which the core looks. */
function whyInvalid({ gateway, unverified, fetched }: Trace): string {
  const { alg, kid } = unverified?.unverifiedHeader ?? {};
  const { iss } = unverified?.unverifiedClaims ?? {};
  const known = typeof iss === "string" ? gateway.config.issuers.get(iss) : undefined;
  if (known === undefined)
    return `iss ${shown(iss)} is not one of ours: ${[...gateway.config.issuers.keys()].join(", ")}`;
  if (alg !== "RS256") return `alg ${shown(alg)}; only RS256 is verified`;
  if (Object.hasOwn(unverified?.unverifiedHeader ?? {}, "crit")) return "a crit header, which is refused";
  if (typeof kid !== "string") return "no kid, so no key is named";
  const answer = fetched.get(known.issuer.jwksUrl);
  if (answer !== undefined && answer.status !== 200)
    return `${known.issuer.jwksUrl} answered ${answer.status}: the pool does not use this form of issuer`;
  const kids = (parseJwks(answer?.body) ?? []).map((key) => key.kid);
  if (!kids.includes(kid))
    return `kid ${shown(kid)} is not in ${known.issuer.jwksUrl}, which has ${kids.map(printable).join(", ")}`;
  return `the signature does not hold under key ${shown(kid)} of ${known.issuer.issuer}: the token was changed, or forged`;
}

/** Claims that are required and are missing or of the wrong type. */
function whyClaims({ unverified }: Trace): string {
  const claims = unverified?.unverifiedClaims ?? {};
  const isTime = (value: unknown): boolean => typeof value === "number" && Number.isFinite(value);
  const wrong = [
    ...["exp", "iat"].filter((name) => !isTime(claims[name])),
    ...(claims["nbf"] === undefined || isTime(claims["nbf"]) ? [] : ["nbf"]),
    ...["sub", "token_use"].filter((name) => typeof claims[name] !== "string" || claims[name] === ""),
  ];
  return `the signature holds, but ${wrong.join(", ")} ${wrong.length === 1 ? "is" : "are"} missing or of the wrong type`;
}

/** What the steps of the token's form and signature saw. */
export function sawSignature(trace: Trace): string {
  const { exchange, taken, failures } = trace;
  const code = taken.find(({ step }) => step === "signature")?.refusal?.code;
  if (code === "malformed_token") return whyMalformed(exchange.request.headers);
  if (code === "jwks_unavailable") return failures.map(printable).join("; ") || "the keys cannot be fetched";
  if (code === "invalid_claims") return whyClaims(trace);
  if (code !== undefined) return whyInvalid(trace);
  const token = exchange.verification?.token;
  return token === undefined ? "" : `RS256 by key ${shown(token.kid)} of ${token.issuer}`;
}
