import { createHash, randomBytes } from "node:crypto";
import { type Cognito, createCognito } from "../../src/local/cognito.ts";
import { DIRECTORY, POOL_ID, WEB_APP } from "../../src/local/seed.ts";

/** Where the app of these tests would be; nothing listens there. */
export const CALLBACK = "http://localhost:8765/callback";

/** A stand-in on a free port. */
export const startUserPool = (nowMs?: () => number): Promise<Cognito> =>
  createCognito({ port: 0, poolId: POOL_ID, directory: DIRECTORY, ...(nowMs && { nowMs }) });

/** Header or claims of a token, unverified. */
export function decodePart(token: string | undefined, part: 0 | 1): Record<string, unknown> {
  return JSON.parse(Buffer.from(token?.split(".")[part] ?? "", "base64url").toString("utf8"));
}

/** A verifier of PKCE and its challenge. */
export function createPkce(): { readonly verifier: string; readonly challenge: string } {
  const verifier = randomBytes(32).toString("base64url");
  return { verifier, challenge: createHash("sha256").update(verifier).digest("base64url") };
}

/** Asks `/oauth2/authorize`; parameters that are undefined are left out. */
export function authorize(
  { url }: Cognito,
  changes: Readonly<Record<string, string | undefined>>,
): Promise<Response> {
  const parameters = {
    response_type: "code",
    client_id: WEB_APP.clientId,
    redirect_uri: CALLBACK,
    code_challenge_method: "S256",
    scope: "openid",
    login_hint: "ada",
    ...changes,
  };
  const given = Object.entries(parameters).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return fetch(`${url}/oauth2/authorize?${new URLSearchParams(given)}`, { redirect: "manual" });
}

/** The query of the address that a response redirects to. */
export const redirectQuery = (response: Response): Record<string, string> =>
  Object.fromEntries(new URL(response.headers.get("location") ?? "", "http://relative").searchParams);

/** A status and JSON body. */
export interface TokenAnswer {
  readonly status: number;
  readonly body: Readonly<Record<string, string>>;
}

/** Posts a form to a path of the domain. */
export async function postForm(
  { url }: Cognito,
  path: string,
  form: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
): Promise<TokenAnswer> {
  const response = await fetch(url + path, { method: "POST", headers, body: new URLSearchParams(form) });
  const text = await response.text();
  return { status: response.status, body: text === "" ? {} : JSON.parse(text) };
}
