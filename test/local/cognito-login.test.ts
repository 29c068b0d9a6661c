import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Cognito } from "../../src/local/cognito.ts";
import {
  authorize,
  CALLBACK,
  createPkce,
  decodePart,
  postForm,
  redirectQuery,
  startUserPool,
  type TokenAnswer,
} from "./user-pool.ts";

const INVALID_GRANT = { status: 400, body: { error: "invalid_grant" } };
const MINUTES = 60_000;

let pool: Cognito;
let nowMs = 1_900_000_000_000;

beforeAll(async () => {
  pool = await startUserPool(() => nowMs);
});
afterAll(() => pool.stop());

/** Signs ada in, up to the code. */
async function getCode(changes: Record<string, string> = {}): Promise<{ code: string; verifier: string }> {
  const { verifier, challenge } = createPkce();
  const { code } = redirectQuery(await authorize(pool, { code_challenge: challenge, ...changes }));
  return { code: code ?? "", verifier };
}

const redeem = (form: Record<string, string>): Promise<TokenAnswer> =>
  postForm(pool, "/oauth2/token", {
    grant_type: "authorization_code",
    client_id: "web_app",
    redirect_uri: CALLBACK,
    ...form,
  });

const refresh = (refreshToken: string | undefined, clientId = "web_app"): Promise<TokenAnswer> =>
  postForm(pool, "/oauth2/token", {
    grant_type: "refresh_token",
    client_id: clientId,
    refresh_token: refreshToken ?? "",
  });

async function signIn(changes: Record<string, string> = {}): Promise<TokenAnswer["body"]> {
  const { code, verifier } = await getCode(changes);
  return (await redeem({ code, code_verifier: verifier })).body;
}

describe("authorization code with PKCE", () => {
  test("gives ID, access and refresh token for a code and its verifier; state and nonce come back", async () => {
    const { verifier, challenge } = createPkce();
    const back = redirectQuery(
      await authorize(pool, { code_challenge: challenge, state: "a b&c", nonce: "n-1" }),
    );
    expect(back["state"]).toBe("a b&c");
    const { status, body } = await redeem({ code: back["code"] ?? "", code_verifier: verifier });
    expect(status).toBe(200);
    expect(body).toEqual({
      id_token: expect.any(String),
      access_token: expect.any(String),
      refresh_token: expect.any(String),
      expires_in: 3600,
      token_type: "Bearer",
    });
    const id = decodePart(body["id_token"], 1);
    const access = decodePart(body["access_token"], 1);
    expect(id).toMatchObject({ nonce: "n-1", aud: "web_app", "custom:tenant_id": "acme" });
    expect(access).toMatchObject({ client_id: "web_app", origin_jti: id["origin_jti"], sub: id["sub"] });
  });

  test("gives no ID token without the scope openid", async () => {
    const body = await signIn({ scope: "zen/reports.read" });
    expect(body).not.toHaveProperty("id_token");
    expect(decodePart(body["access_token"], 1)["scope"]).toBe("zen/reports.read");
  });

  test("is refused with another verifier, and the code is used up by that", async () => {
    const { code, verifier } = await getCode();
    expect(await redeem({ code, code_verifier: createPkce().verifier })).toEqual(INVALID_GRANT);
    expect(await redeem({ code, code_verifier: verifier })).toEqual(INVALID_GRANT);
  });

  test("is refused without a verifier", async () => {
    const { code } = await getCode();
    expect(await redeem({ code })).toEqual(INVALID_GRANT);
  });

  test("is refused for a code that has been used", async () => {
    const { code, verifier } = await getCode();
    expect((await redeem({ code, code_verifier: verifier })).status).toBe(200);
    expect(await redeem({ code, code_verifier: verifier })).toEqual(INVALID_GRANT);
  });

  test("is refused where redirect_uri is not that of the first step", async () => {
    const { code, verifier } = await getCode();
    const other = { redirect_uri: "http://localhost:8765/other" };
    expect(await redeem({ code, code_verifier: verifier, ...other })).toEqual(INVALID_GRANT);
  });

  test("accepts a code just before its 5 minutes are over, and refuses one at their end", async () => {
    const early = await getCode();
    const late = await getCode();
    nowMs += 5 * MINUTES - 1;
    expect((await redeem({ code: early.code, code_verifier: early.verifier })).status).toBe(200);
    nowMs += 1;
    expect(await redeem({ code: late.code, code_verifier: late.verifier })).toEqual(INVALID_GRANT);
  });

  test("is refused to a machine's client", async () => {
    const { code, verifier } = await getCode();
    const machine = { client_id: "acme_agent", client_secret: "local_secret_of_acme_agent" };
    expect((await redeem({ code, code_verifier: verifier, ...machine })).body).toEqual({
      error: "unauthorized_client",
    });
  });
});

describe("the authorize endpoint", () => {
  test.each([
    ["an unknown client", { client_id: "other" }, "invalid_client"],
    ["a machine's client", { client_id: "acme_agent" }, "invalid_client"],
    ["a redirect off this machine", { redirect_uri: "https://evil.example/" }, "redirect_mismatch"],
    [
      "a redirect that only looks local",
      { redirect_uri: "http://localhost.evil.example/" },
      "redirect_mismatch",
    ],
    ["no redirect", { redirect_uri: undefined }, "redirect_mismatch"],
  ])("sends the browser to its own error page for %s", async (_what, changes, error) => {
    const response = await authorize(pool, { code_challenge: "c", ...changes });
    expect(response.status).toBe(302);
    expect(response.headers.get("location")).toBe(`/error?error=${error}`);
  });

  test.each([
    ["no challenge", { code_challenge: undefined }, "invalid_request"],
    ["a plain challenge", { code_challenge_method: "plain" }, "invalid_request"],
    ["no method of the challenge", { code_challenge_method: undefined }, "invalid_request"],
    ["the implicit grant", { response_type: "token" }, "invalid_request"],
    ["a scope that the client may not have", { scope: "openid zen/m2m" }, "invalid_scope"],
    ["prompt=none while nobody is signed in", { prompt: "none", login_hint: undefined }, "login_required"],
  ])("sends the app an error, its state and no code for %s", async (_what, changes, error) => {
    const response = await authorize(pool, { code_challenge: "c", state: "s", ...changes });
    expect(response.headers.get("location")).toMatch(/^http:\/\/localhost:8765\/callback\?/);
    const query = redirectQuery(response);
    expect(query).toMatchObject({ error, state: "s" });
    expect(query).not.toHaveProperty("code");
  });
});

describe("the login page", () => {
  const open = () => authorize(pool, { code_challenge: createPkce().challenge, login_hint: undefined });

  test("shows a button for each person, signs in whom it is told, and remembers them", async () => {
    const login = new URL((await open()).headers.get("location") ?? "", pool.url);
    const page = await (await fetch(login)).text();
    for (const name of ["ada", "vic", "olu", "nomad"]) expect(page).toContain(`value="${name}"`);
    const form = new URLSearchParams(login.searchParams);
    form.set("username", "olu");
    const done = await fetch(`${pool.url}/login`, { method: "POST", body: form, redirect: "manual" });
    expect(redirectQuery(done)).toHaveProperty("code");
    const cookie = done.headers.get("set-cookie") ?? "";
    expect(cookie).toMatch(/HttpOnly/);
    const again = await fetch(`${pool.url}/oauth2/authorize?${login.searchParams}`, {
      redirect: "manual",
      headers: { cookie: cookie.split(";")[0] ?? "" },
    });
    expect(redirectQuery(again)).toHaveProperty("code");
  });

  test("signs in nobody whom it does not know", async () => {
    const login = new URL((await open()).headers.get("location") ?? "", pool.url);
    const form = new URLSearchParams(login.searchParams);
    form.set("username", "mallory");
    const response = await fetch(`${pool.url}/login`, { method: "POST", body: form, redirect: "manual" });
    expect(response.status).toBe(400);
    expect(response.headers.get("set-cookie")).toBeNull();
  });

  test("writes what it was given as text, never as markup", async () => {
    const response = await fetch(`${pool.url}/error?error=${encodeURIComponent("<script>1</script>")}`);
    expect(await response.text()).not.toContain("<script>");
  });
});

describe("refresh", () => {
  test("gives new ID and access tokens of the same sign-in, and no new refresh token", async () => {
    const first = await signIn();
    nowMs += 30 * MINUTES;
    const { status, body } = await refresh(first["refresh_token"]);
    expect(status).toBe(200);
    expect(body).not.toHaveProperty("refresh_token");
    const [before, after] = [first, body].map((each) => decodePart(each["id_token"], 1));
    expect(after).toMatchObject({
      origin_jti: before?.["origin_jti"],
      auth_time: before?.["auth_time"],
      iat: Number(before?.["iat"]) + 1800,
    });
    expect(after?.["jti"]).not.toBe(before?.["jti"]);
    expect((await refresh(first["refresh_token"])).status).toBe(200); // good more than once
  });

  test("is refused for an unknown token, and for one of another client", async () => {
    const first = await signIn();
    expect(await refresh("made-up")).toEqual(INVALID_GRANT);
    expect((await refresh(first["refresh_token"], "acme_agent")).status).toBe(400);
  });

  test("is refused once the token has been revoked; revoking it again is no error", async () => {
    const first = await signIn();
    const form = { token: first["refresh_token"] ?? "", client_id: "web_app" };
    expect((await postForm(pool, "/oauth2/revoke", form)).status).toBe(200);
    expect(await refresh(first["refresh_token"])).toEqual(INVALID_GRANT);
    expect((await postForm(pool, "/oauth2/revoke", form)).status).toBe(200);
  });
});
