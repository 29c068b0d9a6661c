import type { ServerResponse } from "node:http";
import {
  type AugmentedRequest,
  Events,
  type MutableResponse,
  OAuth2Service,
  type RouteHandler,
} from "oauth2-mock-server";
import type { Parameters } from "./cognito-authorize-request.ts";
import type { HostedUi, UiAnswer } from "./cognito-hosted-ui.ts";
import type { SigningKeys } from "./cognito-keys.ts";
import type { FormPost, JsonAnswer, TokenEndpoint } from "./cognito-token.ts";

/** What a user pool serves, and where. */
export interface ServiceParts {
  readonly poolId: string;
  /** Address of the domain. The issuer is this and the pool's id. */
  readonly url: string;
  readonly keys: SigningKeys;
  readonly ui: HostedUi;
  readonly tokens: TokenEndpoint;
}

/** Where the pool's JWKS and discovery document are. */
export const wellKnownPaths = (poolId: string) => ({
  jwks: `/${poolId}/.well-known/jwks.json`,
  wellKnownDocument: `/${poolId}/.well-known/openid-configuration`,
});

const OAUTH_PATHS = ["/oauth2/authorize", "/oauth2/token", "/oauth2/revoke", "/login", "/logout", "/error"];

/**
 * The paths that Cognito has too. The library also serves paths of its own, which check nothing: they must not be
 * reachable.
 */
export const servedPaths = (poolId: string): ReadonlySet<string> =>
  new Set([...OAUTH_PATHS, ...Object.values(wellKnownPaths(poolId))]);

const discovery = (url: string, poolId: string): Record<string, unknown> => ({
  authorization_endpoint: `${url}/oauth2/authorize`,
  end_session_endpoint: `${url}/logout`,
  id_token_signing_alg_values_supported: ["RS256"],
  issuer: `${url}/${poolId}`,
  jwks_uri: `${url}${wellKnownPaths(poolId).jwks}`,
  response_types_supported: ["code"],
  revocation_endpoint: `${url}/oauth2/revoke`,
  scopes_supported: ["openid", "email", "profile"],
  subject_types_supported: ["public"],
  token_endpoint: `${url}/oauth2/token`,
  token_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post"],
});

function sendUi(response: ServerResponse, { status, headers, html }: UiAnswer): void {
  response.writeHead(status, { "cache-control": "no-store", ...headers });
  response.end(html);
}

function sendJson(response: ServerResponse, { status, body }: JsonAnswer): void {
  response.writeHead(status, {
    "content-type": "application/json;charset=UTF-8",
    "cache-control": "no-store",
  });
  response.end(body && JSON.stringify(body));
}

/** Cognito takes forms only; the library reads JSON too. */
function formOf({ headers, body }: AugmentedRequest): Parameters | undefined {
  const isForm = headers["content-type"]?.startsWith("application/x-www-form-urlencoded") === true;
  return isForm && body !== undefined && !Array.isArray(body) ? body : undefined;
}

const postOf = (request: AugmentedRequest): FormPost => ({
  authorization: request.headers.authorization,
  form: formOf(request),
});

/** Builds the service of a user pool for one set of keys; other keys need another service. */
export function createService({ poolId, url, keys, ui, tokens }: ServiceParts): OAuth2Service {
  const service = new OAuth2Service(keys.issuer, wellKnownPaths(poolId));
  service.on(Events.BeforeWellKnownOpenIdConfiguration, (answer: MutableResponse) => {
    answer.body = discovery(url, poolId); // the library's own names its paths under the issuer
  });
  const uiRoute =
    (answer: (parameters: Parameters, cookie: string | undefined) => UiAnswer): RouteHandler =>
    (request, response) =>
      sendUi(response, answer(request.query, request.headers.cookie));
  service.addRoute("GET", "/oauth2/authorize", uiRoute(ui.authorize));
  service.addRoute("GET", "/login", uiRoute(ui.showLogin));
  service.addRoute("GET", "/logout", uiRoute(ui.logout));
  service.addRoute("GET", "/error", uiRoute(ui.showError));
  service.addRoute("POST", "/login", (request, response) =>
    sendUi(response, ui.login(formOf(request) ?? {})),
  );
  service.addRoute("POST", "/oauth2/token", async (request, response) =>
    sendJson(response, await tokens.token(postOf(request))),
  );
  service.addRoute("POST", "/oauth2/revoke", (request, response) =>
    sendJson(response, tokens.revoke(postOf(request))),
  );
  return service;
}
