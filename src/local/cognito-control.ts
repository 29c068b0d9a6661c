import type { IncomingMessage, ServerResponse } from "node:http";
import type { TokenUse } from "./cognito-keys.ts";
import type { Mint, MintOptions } from "./cognito-mint.ts";

/** How Cognito is out: it answers 503, or ends every connection. */
export type Outage = "unavailable" | "dropped";

/** What can be done to a running stand-in. */
export interface Controls {
  readonly mint: Mint;
  /** The `kid`s of new tokens. */
  kids(): Readonly<Record<TokenUse, string>>;
  /** The `kid`s that the JWKS shows. */
  published(): readonly string[];
  outage(): Outage | undefined;
  /** Makes new keys. `keepPublished`: the earlier ones stay in the JWKS; default false. */
  rotate(options?: { readonly keepPublished?: boolean }): Promise<void>;
  goDown(outage?: Outage): void;
  goUp(): void;
}

/** Every control path starts with this one. */
export const CONTROL_PATH = "/_control";

const HELP = {
  "POST /_control/rotate": "new signing keys; ?keep=1 leaves the old ones in the JWKS",
  "POST /_control/down": "an outage: 503; ?how=dropped ends connections",
  "POST /_control/up": "the outage is over",
  "GET /_control/token":
    "a token as text: ?user=ada&use=id|access, or ?client=acme_agent; &scope= &expires_in=",
};

function send(response: ServerResponse, status: number, body: unknown): void {
  const isText = typeof body === "string";
  response.writeHead(status, {
    "content-type": isText ? "text/plain" : "application/json",
    "cache-control": "no-store",
  });
  response.end(isText ? body : `${JSON.stringify(body, null, 2)}\n`);
}

function mintOptions(query: URLSearchParams): MintOptions | undefined {
  const use = query.get("use") ?? undefined;
  if (use !== undefined && use !== "id" && use !== "access") return undefined;
  const scope = query.get("scope") ?? undefined;
  const expiresIn = query.get("expires_in") ?? undefined;
  if (expiresIn !== undefined && !/^-?\d{1,9}$/.test(expiresIn)) return undefined;
  return {
    ...(use !== undefined && { use }),
    ...(scope !== undefined && { scope }),
    ...(expiresIn !== undefined && { expiresInSeconds: Number(expiresIn) }),
  };
}

async function mintToken(mint: Mint, query: URLSearchParams): Promise<string | undefined> {
  const options = mintOptions(query);
  const client = query.get("client");
  if (options === undefined) return undefined;
  return client === null ? mint.forPerson(query.get("user") ?? "", options) : mint.forClient(client, options);
}

const stateOf = (controls: Controls): Readonly<Record<string, unknown>> => ({
  state: controls.outage() ?? "up",
  signing: controls.kids(),
  published: controls.published(),
});

/** Answers a request under `/_control`; works during an outage too. */
export async function answerControl(
  request: IncomingMessage,
  url: URL,
  response: ServerResponse,
  controls: Controls,
): Promise<void> {
  const action = url.pathname.slice(CONTROL_PATH.length);
  if (action === "/token") {
    const token = await mintToken(controls.mint, url.searchParams);
    if (token !== undefined) return send(response, 200, token);
    return send(response, 404, { error: "no such user, client, scope or option", help: HELP });
  }
  if (action === "" || action === "/") return send(response, 200, { ...stateOf(controls), help: HELP });
  if (request.method !== "POST") return send(response, 405, { error: "POST it", help: HELP });
  if (action === "/rotate") await controls.rotate({ keepPublished: url.searchParams.get("keep") === "1" });
  else if (action === "/down")
    controls.goDown(url.searchParams.get("how") === "dropped" ? "dropped" : "unavailable");
  else if (action === "/up") controls.goUp();
  else return send(response, 404, { error: "no such control", help: HELP });
  return send(response, 200, stateOf(controls));
}
