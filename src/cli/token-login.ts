import { spawn } from "node:child_process";
import * as oauth from "oauth4webapi";
import { RefusedError } from "./context.ts";
import type { Endpoints } from "./token-endpoints.ts";
import { explainCode, explainFailure, type OAuthContext } from "./token-errors.ts";
import { awaitRedirect } from "./token-loopback.ts";
import type { TokenSet } from "./token-set.ts";

/** How long the user has to sign in. */
const SIGN_IN_LIMIT_MS = 5 * 60_000;
const PROBE_LIMIT_MS = 5_000;

/** A sign-in of a person. */
export interface Login {
  readonly endpoints: Endpoints;
  readonly clientId: string;
  /** Space-separated. */
  readonly scope: string;
  readonly port: number;
  /** Of a confidential app client; undefined: a public one. */
  readonly secret: string | undefined;
  readonly openBrowser: boolean;
  /** Tells the user something beside the result. */
  readonly note: (text: string) => void;
}

/** Opens the address in the user's browser; whoever has none still has the printed address. */
function openInBrowser(url: string): void {
  const [command, args] =
    process.platform === "darwin"
      ? ["open", [url]]
      : process.platform === "win32"
        ? ["rundll32", ["url.dll,FileProtocolHandler", url]]
        : ["xdg-open", [url]];
  const child = spawn(command, args, { stdio: "ignore", detached: true });
  child.once("error", () => undefined);
  child.unref();
}

/**
 * Asks the hosted UI once whether it takes this request: it shows a page for what is wrong with the app client
 * or the redirect, and never tells the one who waits for the redirect.
 */
async function refuseEarly(url: URL, context: OAuthContext): Promise<void> {
  let location: string | null;
  try {
    const response = await fetch(url, { redirect: "manual", signal: AbortSignal.timeout(PROBE_LIMIT_MS) });
    location = response.headers.get("location");
  } catch {
    return; // the browser may get where we do not
  }
  if (location === null || !URL.canParse(location, url)) return;
  const { searchParams } = new URL(location, url);
  const code = searchParams.get("error");
  if (code !== null)
    throw new RefusedError(explainCode(code, searchParams.get("error_description") ?? undefined, context));
}

/** The issuer that the ID token names. It came straight from the token endpoint (OpenID Connect Core 3.1.3.7). */
async function issuerOf(response: Response): Promise<string | undefined> {
  try {
    const { id_token: token } = (await response.clone().json()) as { id_token?: string };
    const claims = JSON.parse(Buffer.from(token?.split(".")[1] ?? "", "base64url").toString("utf8"));
    return typeof claims.iss === "string" ? claims.iss : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Basic client authentication as Cognito documents it (AWS: token endpoint): id and secret as they are. The
 * library's own form-encodes even `-` and `_`, which a server that does not decode them takes for another id.
 */
const basic =
  (secret: string): oauth.ClientAuth =>
  (_server, client, _body, headers) => {
    headers.set("authorization", `Basic ${Buffer.from(`${client.client_id}:${secret}`).toString("base64")}`);
  };

const authentication = (secret: string | undefined): oauth.ClientAuth =>
  secret === undefined ? oauth.None() : basic(secret);

/**
 * Signs a person in: authorization code with PKCE (S256) on a loopback redirect, `state` and `nonce` checked
 * (RFC 8252, RFC 7636). Rejects with a RefusedError that says what to do.
 */
export async function login(options: Login): Promise<TokenSet> {
  const { endpoints, clientId, scope, secret, note } = options;
  const { server, request, domain } = endpoints;
  const client: oauth.Client = { client_id: clientId };
  const codeVerifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const isOpenId = scope.split(" ").includes("openid");
  const nonce = isOpenId ? oauth.generateRandomNonce() : undefined;

  const redirect = await awaitRedirect(options.port, SIGN_IN_LIMIT_MS);
  const { redirectUri } = redirect;
  const context: OAuthContext = { domain, clientId, scope, redirectUri };
  let succeeded = false;
  try {
    const url = new URL(`${domain}/oauth2/authorize`);
    url.search = new URLSearchParams({
      response_type: "code",
      client_id: clientId,
      redirect_uri: redirectUri,
      scope,
      state,
      code_challenge: await oauth.calculatePKCECodeChallenge(codeVerifier),
      code_challenge_method: "S256",
      ...(nonce !== undefined && { nonce }),
    }).toString();
    await refuseEarly(url, context);
    note(`Sign in here:\n${url.href}`);
    if (options.openBrowser) openInBrowser(url.href);

    const arrived = await redirect.parameters;
    const parameters = oauth.validateAuthResponse(server, client, arrived, state);
    const response = await oauth.authorizationCodeGrantRequest(
      server,
      client,
      authentication(secret),
      parameters,
      redirectUri,
      codeVerifier,
      request,
    );
    const issuer = (await issuerOf(response)) ?? server.issuer;
    const tokens = await oauth.processAuthorizationCodeResponse(
      { ...server, issuer },
      client,
      response,
      nonce === undefined ? {} : { expectedNonce: nonce, requireIdToken: true },
    );
    succeeded = true;
    return toTokenSet(tokens, { domain, client_id: clientId, scope });
  } catch (error) {
    throw error instanceof RefusedError ? error : new RefusedError(explainFailure(error, context));
  } finally {
    await redirect.finish(succeeded);
  }
}

function toTokenSet(
  tokens: oauth.TokenEndpointResponse,
  facts: Pick<TokenSet, "domain" | "client_id" | "scope">,
): TokenSet {
  return {
    ...facts,
    access_token: tokens.access_token,
    ...(tokens.id_token !== undefined && { id_token: tokens.id_token }),
    ...(tokens.refresh_token !== undefined && { refresh_token: tokens.refresh_token }),
  };
}

/** A machine's sign-in. `scope`: empty for all that the app client may have. */
export async function loginMachine(
  endpoints: Endpoints,
  clientId: string,
  scope: string,
  secret: string,
): Promise<TokenSet> {
  const client: oauth.Client = { client_id: clientId };
  try {
    const response = await oauth.clientCredentialsGrantRequest(
      endpoints.server,
      client,
      basic(secret),
      scope === "" ? {} : { scope },
      endpoints.request,
    );
    const tokens = await oauth.processClientCredentialsResponse(endpoints.server, client, response);
    return toTokenSet(tokens, {
      domain: endpoints.domain,
      client_id: clientId,
      ...(scope !== "" && { scope }),
    });
  } catch (error) {
    throw new RefusedError(
      explainFailure(error, { domain: endpoints.domain, clientId, scope: scope === "" ? undefined : scope }),
    );
  }
}

/** Gets new tokens for a set; the refresh token stays, unless Cognito rotates it. */
export async function refresh(
  endpoints: Endpoints,
  set: TokenSet,
  secret: string | undefined,
): Promise<TokenSet> {
  if (set.refresh_token === undefined)
    throw new RefusedError(
      "There is no refresh token in this file: a machine gets a new token with edge token m2m.",
    );
  const client: oauth.Client = { client_id: set.client_id };
  try {
    const response = await oauth.refreshTokenGrantRequest(
      endpoints.server,
      client,
      authentication(secret),
      set.refresh_token,
      endpoints.request,
    );
    const issuer = (await issuerOf(response)) ?? endpoints.server.issuer;
    const tokens = await oauth.processRefreshTokenResponse({ ...endpoints.server, issuer }, client, response);
    return { ...set, ...toTokenSet(tokens, set) };
  } catch (error) {
    throw new RefusedError(explainFailure(error, { domain: set.domain, clientId: set.client_id }));
  }
}
