import { type AppClient, type Directory, findClient, grantScopes, isMachine } from "./cognito-directory.ts";

/** Parameters of a query string or of a form. */
export type Parameters = Readonly<Record<string, unknown>>;

/** A request of `/oauth2/authorize` that can be granted. */
export interface AuthorizeRequest {
  readonly client: AppClient;
  readonly redirectUri: string;
  readonly scopes: readonly string[];
  /** `code_challenge`, of method S256. */
  readonly challenge: string;
  readonly state?: string;
  readonly nonce?: string;
}

/** Where a browser is sent with an error. */
export interface AuthorizeFailure {
  readonly location: string;
}

const LOOPBACK_HOST = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/** Any loopback address is a callback and sign-out URL of the local app client; a real one lists each of its own. */
export function isCallback(redirectUri: string): boolean {
  const url = URL.canParse(redirectUri) ? new URL(redirectUri) : undefined;
  return url?.protocol === "http:" && LOOPBACK_HOST.test(url.hostname) && !redirectUri.includes("#");
}

/** A parameter that is there once, and not empty. */
export function parameter(parameters: Parameters, name: string): string | undefined {
  const value = parameters[name];
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** A callback with parameters added to its own query. */
export function withParameters(uri: string, added: Readonly<Record<string, string | undefined>>): string {
  const url = new URL(uri);
  for (const [name, value] of Object.entries(added))
    if (value !== undefined) url.searchParams.append(name, value);
  return url.href;
}

/** The hosted UI's own page for errors that must not go to an address that nobody has registered. */
const errorPage = (error: string): AuthorizeFailure => ({
  location: `/error?${new URLSearchParams({ error })}`,
});

/**
 * Reads the parameters of `/oauth2/authorize`. Stricter than Cognito in one point: a challenge of PKCE is required,
 * where Cognito only refuses one whose method is not S256.
 */
export function readAuthorizeRequest(
  directory: Directory,
  parameters: Parameters,
): AuthorizeRequest | AuthorizeFailure {
  const client = findClient(directory, parameter(parameters, "client_id") ?? "");
  if (client === undefined || isMachine(client)) return errorPage("invalid_client");
  const redirectUri = parameter(parameters, "redirect_uri");
  if (redirectUri === undefined || !isCallback(redirectUri)) return errorPage("redirect_mismatch");

  const state = parameter(parameters, "state");
  const fail = (error: string, description: string): AuthorizeFailure => ({
    location: withParameters(redirectUri, { error, error_description: description, state }),
  });
  if (parameter(parameters, "response_type") !== "code")
    return fail("invalid_request", "response_type must be code");
  const challenge = parameter(parameters, "code_challenge");
  if (parameter(parameters, "code_challenge_method") !== "S256" || challenge === undefined)
    return fail("invalid_request", "PKCE with code_challenge_method S256 is required");
  const scopes = grantScopes(client, parameter(parameters, "scope"));
  if (scopes === undefined) return fail("invalid_scope", "a scope that the app client may not have");
  const nonce = parameter(parameters, "nonce");
  return {
    client,
    redirectUri,
    scopes,
    challenge,
    ...(state !== undefined && { state }),
    ...(nonce !== undefined && { nonce }),
  };
}
