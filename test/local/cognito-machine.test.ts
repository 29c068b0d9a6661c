import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Cognito } from "../../src/local/cognito.ts";
import { decodePart, postForm, startUserPool, type TokenAnswer } from "./user-pool.ts";

const CLIENT = "acme_agent";
const SECRET = "local_secret_of_acme_agent";

let pool: Cognito;

beforeAll(async () => {
  pool = await startUserPool();
});
afterAll(() => pool.stop());

const basic = (clientId: string, secret: string): Record<string, string> => ({
  authorization: `Basic ${Buffer.from(`${clientId}:${secret}`).toString("base64")}`,
});

const ask = (form: Record<string, string>, headers: Record<string, string> = {}): Promise<TokenAnswer> =>
  postForm(pool, "/oauth2/token", { grant_type: "client_credentials", ...form }, headers);

const refusal = (error: string): TokenAnswer => ({ status: 400, body: { error } });

const scopeOf = ({ body }: TokenAnswer): unknown => decodePart(body["access_token"], 1)["scope"];

describe("client_credentials", () => {
  test("gives an access token alone for the secret in Basic authentication", async () => {
    const { status, body } = await ask({}, basic(CLIENT, SECRET));
    expect(status).toBe(200);
    expect(body).toEqual({ access_token: expect.any(String), expires_in: 3600, token_type: "Bearer" });
    expect(decodePart(body["access_token"], 1)).toMatchObject({ sub: CLIENT, client_id: CLIENT });
  });

  test("gives one for the secret in the form too", async () => {
    expect((await ask({ client_id: CLIENT, client_secret: SECRET })).status).toBe(200);
  });

  test.each([
    ["a wrong secret in Basic", {}, basic(CLIENT, "wrong")],
    ["a wrong secret in the form", { client_id: CLIENT, client_secret: "wrong" }, {}],
    ["no secret", { client_id: CLIENT }, {}],
    ["another client's secret", {}, basic("roaming_agent", SECRET)],
    ["an unknown client", {}, basic("nobody", SECRET)],
    ["two clients at once", { client_id: "roaming_agent" }, basic(CLIENT, SECRET)],
    ["a broken header", {}, { authorization: "Basic !" }],
    ["a bearer token", {}, { authorization: "Bearer x" }],
  ])("answers invalid_client to %s", async (_what, form, headers) => {
    expect(await ask(form, headers)).toEqual(refusal("invalid_client"));
  });

  test("answers unauthorized_client to a client of people", async () => {
    expect(await ask({ client_id: "web_app" })).toEqual(refusal("unauthorized_client"));
  });

  test("gives all scopes of the client where none is asked for, and else just those", async () => {
    expect(scopeOf(await ask({}, basic(CLIENT, SECRET)))).toBe("zen/m2m zen/reports.read");
    expect(scopeOf(await ask({ scope: "zen/m2m" }, basic(CLIENT, SECRET)))).toBe("zen/m2m");
  });

  test.each(["zen/admin", "zen/m2m zen/admin", "openid"])(
    "answers invalid_scope to %s, which the client may not have",
    async (scope) => {
      expect(await ask({ scope }, basic(CLIENT, SECRET))).toEqual(refusal("invalid_scope"));
    },
  );

  test.each([
    ["another grant", { grant_type: "password" }, "unsupported_grant_type"],
    ["no grant", { grant_type: "" }, "invalid_request"],
  ])("answers to %s as Cognito does", async (_what, form, error) => {
    expect(await ask(form, basic(CLIENT, SECRET))).toEqual(refusal(error));
  });

  test("takes a form only, no JSON", async () => {
    const response = await fetch(`${pool.url}/oauth2/token`, {
      method: "POST",
      headers: { "content-type": "application/json", ...basic(CLIENT, SECRET) },
      body: JSON.stringify({ grant_type: "client_credentials" }),
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({ error: "invalid_request" });
  });
});
