import { TOKEN_LIFETIME_SECONDS } from "./cognito-claims.ts";
import { type AppClient, type Directory, findClient, grantScopes, isMachine } from "./cognito-directory.ts";
import type { Mint } from "./cognito-mint.ts";
import { matchesChallenge, type Sessions } from "./cognito-sessions.ts";

/** A form post to `/oauth2/token` or `/oauth2/revoke`. */
export interface FormPost {
  readonly authorization: string | undefined;
  /** Fields of the form; undefined where the body is none. A repeated field is not a string. */
  readonly form: Readonly<Record<string, unknown>> | undefined;
}

/** A JSON answer. */
export interface JsonAnswer {
  readonly status: number;
  readonly body?: Readonly<Record<string, unknown>>;
}

/** The endpoints of a user pool's domain that apps post to. */
export interface TokenEndpoint {
  token(post: FormPost): Promise<JsonAnswer>;
  revoke(post: FormPost): JsonAnswer;
}

/** What the endpoints work with. */
export interface TokenEndpointParts {
  readonly directory: Directory;
  readonly sessions: Sessions;
  readonly mint: Mint;
}

const LIFETIME = { expires_in: TOKEN_LIFETIME_SECONDS, token_type: "Bearer" };

/** Cognito's refusals: status 400, and a code of RFC 6749 section 5.2 alone. */
const fail = (error: string): JsonAnswer => ({ status: 400, body: { error } });

const field = (form: Readonly<Record<string, unknown>>, name: string): string | undefined => {
  const value = form[name];
  return typeof value === "string" && value !== "" ? value : undefined;
};

interface Credentials {
  readonly clientId: string | undefined;
  readonly secret: string | undefined;
}

/** `client_secret_basic`: both halves are form-encoded (RFC 6749 section 2.3.1). Undefined where it is malformed. */
function readBasic(authorization: string): Credentials | undefined {
  const encoded = /^Basic +([\w+/=-]+)$/i.exec(authorization)?.[1];
  const [clientId, secret, ...rest] = Buffer.from(encoded ?? "", "base64")
    .toString("utf8")
    .split(":");
  if (clientId === undefined || secret === undefined || rest.length > 0) return undefined;
  try {
    return { clientId: decodeURIComponent(clientId), secret: decodeURIComponent(secret) };
  } catch {
    return undefined;
  }
}

/** Creates the endpoints. Errors are Cognito's own: `{"error":…}` with status 400. */
export function createTokenEndpoint({ directory, sessions, mint }: TokenEndpointParts): TokenEndpoint {
  function authenticate({ authorization, form = {} }: FormPost): AppClient | undefined {
    const posted = { clientId: field(form, "client_id"), secret: field(form, "client_secret") };
    const given = authorization === undefined ? posted : readBasic(authorization);
    if (given?.clientId === undefined) return undefined;
    if (posted.clientId !== undefined && posted.clientId !== given.clientId) return undefined;
    const client = findClient(directory, given.clientId);
    return client !== undefined && client.secret === given.secret ? client : undefined;
  }

  async function redeemCode(client: AppClient, form: Readonly<Record<string, unknown>>): Promise<JsonAnswer> {
    const code = field(form, "code");
    const redirectUri = field(form, "redirect_uri");
    const verifier = field(form, "code_verifier");
    if (code === undefined || redirectUri === undefined) return fail("invalid_request");
    const grant = sessions.redeemCode(code);
    if (grant === undefined || grant.signIn.clientId !== client.clientId) return fail("invalid_grant");
    if (grant.redirectUri !== redirectUri || !matchesChallenge(verifier ?? "", grant.challenge))
      return fail("invalid_grant");
    const { id, access } = await mint.forSignIn(grant.signIn);
    const { nonce: _, ...signIn } = grant.signIn; // of this one ID token alone
    return {
      status: 200,
      body: {
        ...(signIn.scopes.includes("openid") && { id_token: id }),
        access_token: access,
        refresh_token: sessions.issueRefreshToken(signIn),
        ...LIFETIME,
      },
    };
  }

  async function refresh(client: AppClient, form: Readonly<Record<string, unknown>>): Promise<JsonAnswer> {
    const refreshToken = field(form, "refresh_token");
    if (refreshToken === undefined) return fail("invalid_request");
    const signIn = sessions.findSignIn(refreshToken);
    if (signIn === undefined || signIn.clientId !== client.clientId) return fail("invalid_grant");
    const { id, access } = await mint.forSignIn(signIn);
    const idToken = signIn.scopes.includes("openid") && { id_token: id };
    return { status: 200, body: { ...idToken, access_token: access, ...LIFETIME } };
  }

  async function clientCredentials(client: AppClient, scope: string | undefined): Promise<JsonAnswer> {
    if (!isMachine(client)) return fail("unauthorized_client");
    if (grantScopes(client, scope) === undefined) return fail("invalid_scope");
    const token = await mint.forClient(client.clientId, scope === undefined ? {} : { scope });
    return { status: 200, body: { access_token: token, ...LIFETIME } };
  }

  return {
    async token(post) {
      const { form } = post;
      const grantType = form && field(form, "grant_type");
      if (form === undefined || grantType === undefined) return fail("invalid_request");
      const client = authenticate(post);
      if (client === undefined) return fail("invalid_client");
      if (grantType === "client_credentials") return clientCredentials(client, field(form, "scope"));
      if (grantType !== "authorization_code" && grantType !== "refresh_token")
        return fail("unsupported_grant_type");
      if (isMachine(client)) return fail("unauthorized_client");
      return grantType === "refresh_token" ? refresh(client, form) : redeemCode(client, form);
    },

    revoke(post) {
      const token = post.form && field(post.form, "token");
      if (token === undefined) return fail("invalid_request");
      const client = authenticate(post);
      if (client === undefined) return fail("invalid_client");
      if (sessions.findSignIn(token)?.clientId === client.clientId) sessions.revoke(token);
      return { status: 200 }; // for a token that is already invalid too (RFC 7009 section 2.2)
    },
  };
}
