import * as oauth from "oauth4webapi";
import { printable } from "./printable.ts";

/** What of a request an explanation may name. Never a secret. */
export interface OAuthContext {
  readonly domain: string;
  readonly clientId: string;
  readonly scope?: string | undefined;
  readonly redirectUri?: string | undefined;
}

const UPDATE = "aws cognito-idp update-user-pool-client (it resets what it is not given: pass all settings)";

/** What Cognito means by its error codes, and what to do. */
const EXPLANATIONS: Readonly<Record<string, (context: OAuthContext) => string>> = {
  invalid_grant: () =>
    "The authorization code or refresh token is used up, expired (a code lives 5 minutes, a refresh token 30 days by default), revoked, replaced by a newer one, or of another app client. Run: npx edge token login",
  invalid_client: ({ clientId }) =>
    `Cognito does not know app client ${clientId} in this pool, or its secret is wrong. A client with a secret must send it (EDGE_CLIENT_SECRET or --secret-file), one without must not. Compare: aws cognito-idp describe-user-pool-client --client-id ${clientId} --user-pool-id POOL`,
  unauthorized_client: ({ clientId }) =>
    `App client ${clientId} may not use this grant. Add it to AllowedOAuthFlows (code for people, client_credentials for machines) and set AllowedOAuthFlowsUserPoolClient: ${UPDATE}`,
  unsupported_grant_type: () =>
    "This domain does not serve the grant. See that --domain is the pool's own domain (or its custom domain), not the issuer.",
  invalid_scope: ({ scope, clientId }) =>
    `App client ${clientId} may not ask for ${scope ?? "its scopes"}, or no resource server has the scope. Add it to AllowedOAuthScopes: ${UPDATE}`,
  redirect_mismatch: ({ redirectUri, clientId }) =>
    `${redirectUri ?? "The redirect"} is not a callback URL of app client ${clientId}. Add exactly this one to CallbackURLs: ${UPDATE}`,
  invalid_request: () =>
    "Cognito misses a parameter, or does not like one. It takes PKCE with S256 only, and a redirect that the app client lists.",
  access_denied: () => "The sign-in was cancelled, or a trigger or the identity provider refused the user.",
  login_required: () => "There is no session in the browser: sign in when it asks for it.",
};

const CAUSES: Readonly<Record<string, string>> = {
  [oauth.HTTP_REQUEST_FORBIDDEN]: "The domain must be https.",
  [oauth.JWT_TIMESTAMP_CHECK]: "The ID token is expired, or from the future: compare this machine's clock.",
  [oauth.RESPONSE_IS_NOT_JSON]:
    "The token endpoint answered without JSON: see that --domain is the pool's domain.",
  [oauth.RESPONSE_IS_NOT_CONFORM]:
    "The token endpoint answered with an unexpected status: see that --domain is the pool's domain.",
};

/** One of Cognito's error codes in plain words. `description` is what it said itself. */
export function explainCode(code: string, description: string | undefined, context: OAuthContext): string {
  // the hosted UI reports a scope or a redirect as the description of another error
  const inner = /\b(invalid_scope|redirect_mismatch|unauthorized_client)\b/.exec(description ?? "")?.[1];
  const explain = EXPLANATIONS[inner ?? code];
  const said = description === undefined || description === "" ? "" : ` (${printable(description)})`;
  const title = `${printable(code)}${said}`;
  return explain === undefined
    ? `${title}: Cognito gives no reason that is known here.`
    : `${title}: ${explain(context)}`;
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : "";
  return printable(error.message + cause);
}

/** A failed request in plain words. Never holds a token, a code or a secret. */
export function explainFailure(error: unknown, context: OAuthContext): string {
  if (error instanceof oauth.ResponseBodyError || error instanceof oauth.AuthorizationResponseError)
    return explainCode(error.error, error.error_description, context);
  if (error instanceof oauth.WWWAuthenticateChallengeError)
    return explainCode("invalid_client", undefined, context);
  if (error instanceof Error && error.name === "TimeoutError")
    return `${context.domain} did not answer within 30 s.`;
  const code = error instanceof oauth.OperationProcessingError ? error.code : undefined;
  const cause = code === undefined ? undefined : CAUSES[code];
  if (cause !== undefined) return `${messageOf(error)}: ${cause}`;
  if (error instanceof TypeError) return `${context.domain} cannot be reached (${messageOf(error)}).`;
  return messageOf(error);
}
