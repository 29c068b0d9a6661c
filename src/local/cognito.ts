import type { IncomingMessage, ServerResponse } from "node:http";
import { answerControl, CONTROL_PATH, type Controls, type Outage } from "./cognito-control.ts";
import type { Directory } from "./cognito-directory.ts";
import { createHostedUi } from "./cognito-hosted-ui.ts";
import { createSigningKeys, type SigningKeys } from "./cognito-keys.ts";
import { createMint } from "./cognito-mint.ts";
import { createService, servedPaths, wellKnownPaths } from "./cognito-service.ts";
import { createSessions } from "./cognito-sessions.ts";
import { createTokenEndpoint } from "./cognito-token.ts";
import { startServer } from "./http-server.ts";

/** A user pool and its domain on loopback. */
export interface Cognito extends Controls {
  /** Address of the domain: `/oauth2/authorize`, `/oauth2/token` and so on. */
  readonly url: string;
  /** `iss` of its tokens. */
  readonly issuer: string;
  readonly jwksUrl: string;
  stop(): Promise<void>;
}

/** What a stand-in is. */
export interface CognitoOptions {
  /** 0 takes a free port. */
  readonly port: number;
  /** In the form of Cognito's: `us-east-2_LocalDev1`. */
  readonly poolId: string;
  readonly directory: Directory;
  /** The clock; default `Date.now`. */
  readonly nowMs?: () => number;
}

/**
 * Starts a stand-in for a Cognito user pool: its JWKS and discovery document, the hosted UI with authorization code
 * and PKCE, the token endpoint, and controls under `/_control`. Keys are made anew at each start. It checks what an
 * app must get right (PKCE, redirects, client secrets, single use), but no password: whoever names a person is them.
 */
export async function createCognito(options: CognitoOptions): Promise<Cognito> {
  const { poolId, directory, nowMs = Date.now } = options;
  const paths = servedPaths(poolId);
  const sessions = createSessions(nowMs);
  let outage: Outage | undefined;

  function handle(request: IncomingMessage, response: ServerResponse): void {
    const target = new URL(
      URL.canParse(request.url ?? "", server.url) ? (request.url ?? "") : "/",
      server.url,
    );
    if (target.pathname === CONTROL_PATH || target.pathname.startsWith(`${CONTROL_PATH}/`))
      return void answerControl(request, target, response, cognito);
    if (outage === "dropped") return void request.socket.destroy();
    if (outage === "unavailable") return void response.writeHead(503).end("Service Unavailable\n");
    if (!paths.has(target.pathname)) return void response.writeHead(404).end();
    service.requestHandler(request, response);
  }

  const server = await startServer(handle, options.port);
  const issuer = `${server.url}/${poolId}`;
  let keys: SigningKeys = await createSigningKeys(issuer);
  const mint = createMint({ issuerUrl: issuer, directory, keys: () => keys, nowMs });
  const ui = createHostedUi({ directory, sessions, nowMs });
  const tokens = createTokenEndpoint({ directory, sessions, mint });
  const serve = () => createService({ poolId, url: server.url, keys, ui, tokens });
  let service = serve();

  const cognito: Cognito = {
    url: server.url,
    issuer,
    jwksUrl: `${server.url}${wellKnownPaths(poolId).jwks}`,
    mint,
    kids: () => keys.kids,
    published: () => keys.issuer.keys.toJSON().map(({ kid }) => kid),
    outage: () => outage,
    async rotate({ keepPublished = false } = {}) {
      keys = await createSigningKeys(issuer, keepPublished ? keys.issuer.keys.toJSON(true) : []);
      service = serve();
    },
    goDown(how = "unavailable") {
      outage = how;
    },
    goUp() {
      outage = undefined;
    },
    stop: server.stop,
  };
  return cognito;
}
