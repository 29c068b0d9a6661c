import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { createSigningKey, idClaims, type SigningKey, sign } from "../support/tokens.ts";
import {
  type CognitoDomain,
  freePort,
  MACHINE_CLIENT,
  MACHINE_SECRET,
  PUBLIC_CLIENT,
  startCognitoDomain,
} from "./cognito-domain.ts";
import { edge, parseJson } from "./project.ts";

let key: SigningKey;
let domain: CognitoDomain;
let folder: string;

beforeAll(async () => {
  key = await createSigningKey("key-1");
  domain = await startCognitoDomain(key);
});
afterAll(() => domain.close());

beforeEach(async () => {
  domain.fault = undefined;
  domain.callbackUrls.clear();
  domain.server.received.length = 0;
  folder = await mkdtemp(join(tmpdir(), "edge-token-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const tokenRequests = () => domain.server.received.filter(({ target }) => target === "/oauth2/token");

/** Signs in as a browser does: opens the printed address and follows its redirects to the command. */
async function login(args: readonly string[] = [], visit = (url: string) => url) {
  const port = await freePort();
  domain.callbackUrls.add(`http://localhost:${port}/callback`);
  let page: Promise<{ status: number; text: string }> | undefined;
  let address = "";
  const run = await edge(
    [
      "token",
      "login",
      "--domain",
      domain.server.url,
      "--client-id",
      PUBLIC_CLIENT,
      "--port",
      String(port),
      "--no-browser",
      ...args,
    ],
    {
      onStderr(printed) {
        const found = /Sign in here:\n(\S+)\n/.exec(printed)?.[1];
        if (found === undefined || page !== undefined) return;
        address = found;
        page = fetch(visit(found), { headers: { "user-agent": "browser" } }).then(async (response) => ({
          status: response.status,
          text: await response.text(),
        }));
      },
    },
  );
  return { ...run, page: await page, address: address === "" ? undefined : new URL(address) };
}

describe("edge token login", () => {
  it("signs in through the redirect, with PKCE, state and nonce, and keeps the tokens for this user alone", async () => {
    const file = join(folder, "tokens.json");
    const { exitCode, stdout, stderr, page, address } = await login(["--save", file]);
    expect(exitCode).toBe(0);
    expect(page).toMatchObject({ status: 200, text: expect.stringContaining("You are signed in") });
    expect(address?.pathname).toBe("/oauth2/authorize");
    const parameters = Object.fromEntries(address?.searchParams ?? []);
    expect(parameters).toMatchObject({
      response_type: "code",
      scope: "openid",
      code_challenge_method: "S256",
    });
    for (const name of ["state", "nonce", "code_challenge"]) expect(parameters[name]).toMatch(/^[\w-]{43}$/);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const saved = parseJson(await readFile(file, "utf8"));
    expect(Object.keys(saved)).toEqual([
      "domain",
      "client_id",
      "scope",
      "access_token",
      "id_token",
      "refresh_token",
    ]);
    expect(stdout).toContain("id_token  custom:tenant_id: acme");
    for (const name of ["access_token", "id_token", "refresh_token"])
      expect(stdout + stderr).not.toContain(String(saved[name]));
  });

  it("prints a token only where it is asked for, and nothing beside it", async () => {
    const silent = await login();
    expect(silent.stdout).not.toMatch(/eyJ/);
    expect(silent.stderr).toContain("Not kept.");
    const { stdout } = await login(["--print", "id"]);
    expect(stdout).toMatch(/^eyJ[\w-]+\.[\w-]+\.[\w-]+\n$/);
    const json = await login(["--json", "--print", "access"]);
    expect(parseJson(json.stdout)["token"]).toMatch(/^eyJ/);
  });

  it("saves over an older set with 0600, whatever that had", async () => {
    const file = join(folder, "tokens.json");
    await login(["--save", file]);
    await chmod(file, 0o644);
    await login(["--save", file]);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it("refuses to save over a file of another kind, before anybody signs in", async () => {
    const file = join(folder, "notes.txt");
    await writeFile(file, "mine");
    const { exitCode, page } = await login(["--save", file]);
    expect({ exitCode, page }).toEqual({ exitCode: 2, page: undefined });
    expect(await readFile(file, "utf8")).toBe("mine");
  });

  it("refuses an answer with another state, and redeems no code", async () => {
    domain.fault = "wrong-state";
    const { exitCode, stderr, page } = await login();
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/unexpected "state"/);
    expect(page).toMatchObject({ status: 400, text: expect.stringContaining("has failed") });
    expect(tokenRequests()).toEqual([]);
  });

  it("refuses an ID token with another nonce", async () => {
    domain.fault = "wrong-nonce";
    const file = join(folder, "tokens.json");
    const { exitCode, stderr } = await login(["--save", file]);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/nonce/);
    await expect(stat(file)).rejects.toThrow();
  });

  it("says what to do where the redirect is not listed, without waiting for it", async () => {
    const run = await edge([
      "token",
      "login",
      "--domain",
      domain.server.url,
      "--client-id",
      PUBLIC_CLIENT,
      "--port",
      String(await freePort()),
      "--no-browser",
    ]);
    expect(run.exitCode).toBe(1);
    expect(run.stderr).toMatch(
      /redirect_mismatch: http:\/\/localhost:\d+\/callback is not a callback URL of app client app-client\./,
    );
    expect(run.stderr).toContain("CallbackURLs");
  });

  it("says what to do about a scope, though Cognito calls it an invalid request", async () => {
    domain.fault = "invalid_scope";
    const { exitCode, stderr } = await login(["--scope", "openid", "zen/none"]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("App client app-client may not ask for openid zen/none");
  });

  it("says that the sign-in was cancelled", async () => {
    domain.fault = "denied";
    const { exitCode, stderr } = await login();
    expect(exitCode).toBe(1);
    expect(stderr).toContain("access_denied (The user has cancelled): The sign-in was cancelled");
  });

  it("explains invalid_grant, and an endpoint that is none", async () => {
    domain.fault = "code-used";
    expect((await login()).stderr).toMatch(/invalid_grant: .*a code lives 5 minutes/);
    domain.fault = "html";
    expect((await login()).stderr).toContain("see that --domain is the pool's domain");
  });

  it("says which port is taken", async () => {
    const port = new URL(domain.server.url).port;
    const run = await edge([
      "token",
      "login",
      "--domain",
      domain.server.url,
      "--client-id",
      "x",
      "--port",
      port,
    ]);
    expect(run.stderr).toContain(`Port ${port} is taken.`);
    expect(run.exitCode).toBe(2);
  });

  it("takes http on a loopback host alone", async () => {
    const run = await edge(["token", "login", "--domain", "http://auth.example.com", "--client-id", "x"]);
    expect(run.stderr).toContain("--domain is the https address");
    expect(run.exitCode).toBe(2);
  });
});

describe("edge token m2m", () => {
  const m2m = (args: readonly string[], env: Record<string, string> = {}) =>
    edge(["token", "m2m", "--domain", domain.server.url, "--client-id", MACHINE_CLIENT, ...args], { env });

  it("authenticates with Basic and a secret from the environment", async () => {
    const run = await m2m(["--scope", "zen/m2m", "--print", "access"], {
      EDGE_CLIENT_SECRET: MACHINE_SECRET,
    });
    expect(run.exitCode).toBe(0);
    expect(run.stdout).toMatch(/^eyJ/);
    const [request] = tokenRequests();
    expect(request?.headers["authorization"]).toMatch(/^Basic /);
    expect(String(request?.body)).toBe("scope=zen%2Fm2m&grant_type=client_credentials");
  });

  it("takes the secret from a file, and says so where others can read that", async () => {
    const file = join(folder, "secret");
    await writeFile(file, `${MACHINE_SECRET}\n`, { mode: 0o644 });
    const run = await m2m(["--secret-file", file]);
    expect(run.exitCode).toBe(0);
    expect(run.stderr).toContain("can be read by other users");
    expect(run.stdout + run.stderr).not.toContain(MACHINE_SECRET);
    await chmod(file, 0o600);
    expect((await m2m(["--secret-file", file])).stderr).not.toContain("can be read by other users");
  });

  it("has no option for the secret itself", async () => {
    const run = await m2m(["--client-secret", MACHINE_SECRET]);
    expect(run.exitCode).toBe(2);
    expect(tokenRequests()).toEqual([]);
  });

  it("refuses without a secret where there is no terminal to ask on", async () => {
    const run = await m2m([], { EDGE_CLIENT_SECRET: "" });
    expect(run.stderr).toContain("EDGE_CLIENT_SECRET");
    expect(run.exitCode).toBe(2);
  });

  it("explains invalid_client and invalid_scope, without the secret", async () => {
    const wrong = await m2m([], { EDGE_CLIENT_SECRET: "wrong-secret" });
    expect(wrong.exitCode).toBe(1);
    expect(wrong.stderr).toMatch(
      /invalid_client: Cognito does not know app client machine-1 in this pool, or its secret is wrong/,
    );
    expect(wrong.stderr).not.toContain("wrong-secret");
    const scope = await m2m(["--scope", "zen/other"], { EDGE_CLIENT_SECRET: MACHINE_SECRET });
    expect(scope.stderr).toMatch(/invalid_scope: App client machine-1 may not ask for zen\/other/);
  });

  it("says that the domain cannot be reached", async () => {
    const port = await freePort();
    const run = await edge(
      ["token", "m2m", "--domain", `http://127.0.0.1:${port}`, "--client-id", MACHINE_CLIENT],
      { env: { EDGE_CLIENT_SECRET: MACHINE_SECRET } },
    );
    expect(run.stderr).toMatch(/cannot be reached .*ECONNREFUSED/);
    expect(run.exitCode).toBe(1);
  });
});

describe("edge token refresh", () => {
  it("gets new tokens and keeps them, with the old refresh token, in the same file", async () => {
    const file = join(folder, "tokens.json");
    await login(["--save", file]);
    const before = parseJson(await readFile(file, "utf8"));
    const run = await edge(["token", "refresh", file]);
    expect(run.exitCode).toBe(0);
    const after = parseJson(await readFile(file, "utf8"));
    expect(after["refresh_token"]).toBe(before["refresh_token"]);
    expect(after["id_token"]).not.toBe(before["id_token"]);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it("explains a refresh token that is no longer good, and leaves the file as it is", async () => {
    const file = join(folder, "tokens.json");
    await login(["--save", file]);
    domain.refreshTokens.clear();
    const before = await readFile(file, "utf8");
    const run = await edge(["token", "refresh", file]);
    expect(run.exitCode).toBe(1);
    expect(run.stderr).toContain("Run: npx edge token login");
    expect(await readFile(file, "utf8")).toBe(before);
  });
});

describe("edge token decode", () => {
  it("shows header and claims, and says that nothing is verified", async () => {
    const token = await sign(key, idClaims("https://anybody.example", 1_700_000_000));
    const run = await edge(["token", "decode"], { input: `Bearer ${token}\n` });
    expect(run.exitCode).toBe(0);
    expect(run.stdout).toMatch(/^Not verified/);
    expect(run.stdout).toContain("iss: https://anybody.example");
    expect(run.stdout).toContain("iat: 2023-11-14T22:13:20Z,");
    const json = parseJson((await edge(["--json", "token", "decode", "-"], { input: token })).stdout);
    expect(json).toMatchObject({
      verified: false,
      header: { kid: "key-1" },
      claims: { "custom:tenant_id": "acme" },
    });
  });

  it("refuses what is no JWT", async () => {
    const run = await edge(["token", "decode"], { input: "abc.def" });
    expect(run.stderr).toContain("malformed_token");
    expect(run.exitCode).toBe(1);
  });
});
