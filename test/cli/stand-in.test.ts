import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Cognito, createCognito } from "../../src/local/cognito.ts";
import { DIRECTORY, POOL_ID, WEB_APP } from "../../src/local/seed.ts";
import { freePort } from "./cognito-domain.ts";
import {
  createProject,
  edge,
  parseJson,
  type TestProject,
  WRANGLER_TIMEOUT_MS,
  wranglerToml,
} from "./project.ts";

const POLICY = {
  roles: ["viewer", "agent", "admin", "owner"],
  m2mScope: "zen/m2m",
  routes: [{ path: "/v1/tenants/:tenantId/*", role: "admin", tenantParam: "tenantId" }, { path: "/v1/*" }],
};

let cognito: Cognito;
let project: TestProject;

beforeAll(async () => {
  cognito = await createCognito({ port: 0, poolId: POOL_ID, directory: DIRECTORY });
  const pool = `USER_POOLS = [{ id = "${POOL_ID}", client_ids = ["${WEB_APP.clientId}"], issuers = [{ issuer = "${cognito.issuer}", jwks_url = "${cognito.jwksUrl}" }] }]`;
  // without revocations: a look into KV is a run of wrangler
  const toml = wranglerToml(pool).replace(
    /\[\[env\.dev\.kv_namespaces]]\nbinding = "REVOCATIONS"\nid = .*\n/,
    "",
  );
  project = await createProject(toml, POLICY);
});
afterAll(async () => {
  await Promise.all([cognito.stop(), project.remove()]);
});

const run = (args: readonly string[], options = {}) => edge(args, { cwd: project.folder, ...options });

async function explain(path: string, file: string, more: readonly string[] = []) {
  const args = ["explain", "--json", "--method", "GET", "--path", path, "--token-file", file, ...more];
  const { exitCode, stdout } = await run(args);
  return { exitCode, ...parseJson(stdout) };
}

describe("edge token and edge explain, with the local user pool", { timeout: WRANGLER_TIMEOUT_MS }, () => {
  it("signs a person in through the hosted UI's redirect, refreshes, and passes with the pool's own keys", async () => {
    const file = join(project.folder, "ada.json");
    const port = await freePort();
    let page: Promise<Response> | undefined;
    const login = await run(
      ["token", "login", "--domain", cognito.url, "--client-id", WEB_APP.clientId].concat(
        "--scope",
        "openid",
        "profile",
        "--port",
        String(port),
        "--no-browser",
        "--save",
        file,
      ),
      {
        onStderr(printed: string) {
          const address = /Sign in here:\n(\S+)\n/.exec(printed)?.[1];
          if (address !== undefined) page ??= fetch(`${address}&login_hint=ada`);
        },
      },
    );
    expect({ exitCode: login.exitCode, page: (await page)?.status }).toEqual({ exitCode: 0, page: 200 });
    expect(await explain("/v1/tenants/acme/users", file)).toMatchObject({
      exitCode: 0,
      decision: "forward",
      upstream: {
        identity: { "x-auth-tenant-id": "acme", "x-auth-role": "admin", "x-auth-username": "ada" },
      },
    });
    expect(await explain("/v1/tenants/globex/users", file)).toMatchObject({ error: "tenant_mismatch" });

    const before = parseJson(await readFile(file, "utf8"));
    expect((await run(["token", "refresh", file])).exitCode).toBe(0);
    expect(parseJson(await readFile(file, "utf8"))["access_token"]).not.toBe(before["access_token"]);
    expect(await explain("/v1/tenants/acme/users", file)).toMatchObject({ decision: "forward" });
  });

  it("signs a machine in with its secret, whose token passes with its allow-list", async () => {
    const file = join(project.folder, "machine.json");
    const m2m = await run(
      ["token", "m2m", "--domain", cognito.url, "--client-id", "acme_agent", "--scope", "zen/m2m"].concat(
        "--save",
        file,
      ),
      { env: { EDGE_CLIENT_SECRET: "local_secret_of_acme_agent" } },
    );
    expect(m2m.exitCode).toBe(0);
    const list = await project.write("list.json", '{"tenants":["acme"],"role":"agent"}');
    expect(await explain("/v1/jobs", file, ["--tenant", "acme", "--allow-list-file", list])).toMatchObject({
      exitCode: 0,
      decision: "forward",
      upstream: {
        identity: { "x-auth-caller": "m2m", "x-auth-client-id": "acme_agent", "x-auth-role": "agent" },
      },
    });
  });

  it("explains a token that a key signed which the pool no longer publishes", async () => {
    const token = await cognito.mint.forPerson("ada", { use: "id" });
    const file = await project.write("old.txt", String(token));
    await cognito.rotate();
    expect(await explain("/v1/x", file)).toMatchObject({ exitCode: 1, error: "invalid_signature" });
  });
});
