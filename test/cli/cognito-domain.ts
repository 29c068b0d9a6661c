import { createHash, randomUUID } from "node:crypto";
import type { ServerResponse } from "node:http";
import { createServer } from "node:net";
import { startServer, type TestServer } from "../support/servers.ts";
import { accessClaims, idClaims, machineClaims, type SigningKey, sign } from "../support/tokens.ts";

/** A user pool's domain: the hosted UI, whose user is always signed in, and the token endpoint. */
export interface CognitoDomain {
  readonly server: TestServer;
  readonly issuer: string;
  /** Redirects that the public app client lists. */
  readonly callbackUrls: Set<string>;
  /** What the next answers do otherwise than they should. */
  fault: Fault | undefined;
  /** Refresh tokens that are good. */
  readonly refreshTokens: Set<string>;
  close(): Promise<void>;
}

type Fault = "wrong-state" | "wrong-nonce" | "denied" | "html" | "invalid_scope" | "code-used";

export const PUBLIC_CLIENT = "app-client";
export const MACHINE_CLIENT = "machine-1";
export const MACHINE_SECRET = "s3cret/of+the=machine";

interface Code {
  readonly challenge: string;
  readonly nonce: string | undefined;
  readonly redirectUri: string;
}

const json = (response: ServerResponse, status: number, body: unknown): void => {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
};
const redirect = (response: ServerResponse, location: string): void => {
  response.writeHead(302, { location }).end();
};

/** Starts a domain that behaves as AWS documents its endpoints. */
export async function startCognitoDomain(key: SigningKey): Promise<CognitoDomain> {
  const codes = new Map<string, Code>();
  const now = () => Math.floor(Date.now() / 1000);

  function authorize(parameters: URLSearchParams, response: ServerResponse): unknown {
    const redirectUri = parameters.get("redirect_uri") ?? "";
    const failure = (error: string): void => redirect(response, `/error?error=${error}`);
    if (parameters.get("client_id") !== PUBLIC_CLIENT) return failure("invalid_client");
    if (!self.callbackUrls.has(redirectUri)) return failure("redirect_mismatch");
    const back = new URL(redirectUri);
    const state = parameters.get("state") ?? "";
    back.searchParams.set("state", self.fault === "wrong-state" ? `${state}x` : state);
    const refuse = (error: string, description: string) => {
      back.searchParams.set("error", error);
      back.searchParams.set("error_description", description);
      redirect(response, back.href);
    };
    if (self.fault === "invalid_scope") return refuse("invalid_request", "invalid_scope");
    if (parameters.get("code_challenge_method") !== "S256")
      return refuse("invalid_request", "PKCE is required");
    const isProbe = response.req.headers["user-agent"] !== "browser";
    if (self.fault === "denied" && !isProbe) return refuse("access_denied", "The user has cancelled");
    const code = randomUUID();
    const challenge = parameters.get("code_challenge") ?? "";
    codes.set(code, { challenge, nonce: parameters.get("nonce") ?? undefined, redirectUri });
    back.searchParams.set("code", code);
    return redirect(response, back.href);
  }

  async function people(nonce: string | undefined): Promise<Record<string, unknown>> {
    return {
      id_token: await sign(key, idClaims(self.issuer, now(), { nonce })),
      access_token: await sign(key, accessClaims(self.issuer, now())),
      token_type: "Bearer",
      expires_in: 3600,
    };
  }

  async function fromCode(form: URLSearchParams, response: ServerResponse): Promise<unknown> {
    const code = codes.get(form.get("code") ?? "");
    codes.delete(form.get("code") ?? "");
    const verifier = createHash("sha256")
      .update(form.get("code_verifier") ?? "")
      .digest("base64url");
    const isGood =
      code !== undefined && code.challenge === verifier && code.redirectUri === form.get("redirect_uri");
    if (!isGood || self.fault === "code-used") return json(response, 400, { error: "invalid_grant" });
    const refreshToken = randomUUID();
    self.refreshTokens.add(refreshToken);
    const nonce = self.fault === "wrong-nonce" ? "another" : code.nonce;
    return json(response, 200, { ...(await people(nonce)), refresh_token: refreshToken });
  }

  async function fromRefresh(form: URLSearchParams, response: ServerResponse): Promise<unknown> {
    if (!self.refreshTokens.has(form.get("refresh_token") ?? ""))
      return json(response, 400, { error: "invalid_grant" });
    return json(response, 200, await people(undefined));
  }

  async function fromClient(
    form: URLSearchParams,
    basic: string,
    response: ServerResponse,
  ): Promise<unknown> {
    if (basic !== `Basic ${Buffer.from(`${MACHINE_CLIENT}:${MACHINE_SECRET}`).toString("base64")}`)
      return json(response, 400, { error: "invalid_client" });
    const scope = form.get("scope");
    if (scope !== null && scope !== "zen/m2m") return json(response, 400, { error: "invalid_scope" });
    return json(response, 200, {
      access_token: await sign(key, machineClaims(self.issuer, now())),
      token_type: "Bearer",
      expires_in: 3600,
    });
  }

  async function answer(target: string, body: string, response: ServerResponse): Promise<unknown> {
    const url = new URL(target, "http://domain");
    if (url.pathname === "/oauth2/authorize") return authorize(url.searchParams, response);
    if (url.pathname !== "/oauth2/token") return json(response, 404, {});
    if (self.fault === "html") {
      return response.writeHead(200, { "content-type": "text/html" }).end("<h1>Hello</h1>");
    }
    const form = new URLSearchParams(body);
    if (form.get("grant_type") === "authorization_code") return fromCode(form, response);
    if (form.get("grant_type") === "refresh_token") return fromRefresh(form, response);
    return fromClient(form, response.req.headers.authorization ?? "", response);
  }

  const server = await startServer((request, response) => {
    void answer(request.url ?? "", String(server.last().body), response);
  });
  const self: CognitoDomain = {
    server,
    issuer: `${server.url}/us-east-2_Ab12Cd34E`, // not the domain, as in AWS
    callbackUrls: new Set(),
    fault: undefined,
    refreshTokens: new Set(),
    close: () => server.close(),
  };
  return self;
}

/** A port that is free at this moment. */
export function freePort(): Promise<number> {
  const server = createServer();
  return new Promise((resolve) =>
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    }),
  );
}
