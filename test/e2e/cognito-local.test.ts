import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { startOrigin, type TestServer } from "../support/servers.ts";
import { requestInit } from "./stack.ts";

/** What its tokens name, wherever it listens. */
const ISSUER_DOMAIN = "http://localhost:9229";
const USER = "ada@example.com";
const PASSWORD = "Correct-horse-1";

let home: string;
let cognito: ChildProcess | undefined;
let cognitoUrl: string;
let origin: TestServer;
let gateway: TestGateway;
let poolId: string;
let clientId: string;
let sub: string;

/** Starts cognito-local as a process of its own, in a folder of its own, on a free port of loopback. */
async function startCognitoLocal(): Promise<string> {
  home = await mkdtemp(join(tmpdir(), "cognito-local-"));
  await mkdir(join(home, ".cognito"));
  const config = { TokenConfig: { IssuerDomain: ISSUER_DOMAIN } };
  await writeFile(join(home, ".cognito", "config.json"), JSON.stringify(config));
  const start = createRequire(import.meta.url).resolve("cognito-local/lib/bin/start.js");
  const env = { ...process.env, HOST: "127.0.0.1", PORT: "0", NODE_NO_WARNINGS: "1" };
  const child = spawn(process.execPath, [start], { cwd: home, env, stdio: ["ignore", "pipe", "inherit"] });
  cognito = child;
  return new Promise((resolve, reject) => {
    let printed = "";
    child.stdout.on("data", (chunk: Buffer) => {
      printed += String(chunk);
      const [, url] = /running on (http:\/\/127\.0\.0\.1:\d+)/.exec(printed) ?? [];
      if (url !== undefined) resolve(url);
    });
    child.once("exit", () => reject(new Error(`cognito-local has ended: ${printed}`)));
  });
}

async function stopCognitoLocal(): Promise<void> {
  if (cognito === undefined || cognito.exitCode !== null || cognito.signalCode !== null) return;
  cognito.kill();
  await once(cognito, "exit");
}

interface Answers {
  readonly UserPool: { readonly Id: string };
  readonly UserPoolClient: { readonly ClientId: string };
  readonly User: { readonly Attributes: readonly { readonly Name: string; readonly Value: string }[] };
  readonly AuthenticationResult: { readonly IdToken: string; readonly AccessToken: string };
}

/** Calls an action of Cognito's API. */
async function act(action: string, body: unknown): Promise<Answers> {
  const response = await fetch(cognitoUrl, {
    method: "POST",
    headers: {
      "content-type": "application/x-amz-json-1.1",
      "x-amz-target": `AWSCognitoIdentityProviderService.${action}`,
    },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${action}: ${response.status} ${text}`);
  return JSON.parse(text === "" ? "{}" : text) as Answers;
}

const signIn = async (client = clientId): Promise<Answers["AuthenticationResult"]> => {
  const { AuthenticationResult } = await act("InitiateAuth", {
    AuthFlow: "USER_PASSWORD_AUTH",
    ClientId: client,
    AuthParameters: { USERNAME: USER, PASSWORD },
  });
  return AuthenticationResult;
};

const createClient = async (name: string): Promise<string> => {
  const { UserPoolClient } = await act("CreateUserPoolClient", { UserPoolId: poolId, ClientName: name });
  return UserPoolClient.ClientId;
};

beforeAll(async () => {
  [cognitoUrl, origin] = await Promise.all([startCognitoLocal(), startOrigin()]);
  poolId = (await act("CreateUserPool", { PoolName: "people" })).UserPool.Id;
  clientId = await createClient("app");
  const { User } = await act("AdminCreateUser", {
    UserPoolId: poolId,
    Username: USER,
    MessageAction: "SUPPRESS",
    UserAttributes: [
      { Name: "email", Value: USER },
      { Name: "custom:tenant_id", Value: "acme" },
      { Name: "custom:role", Value: "agent" },
    ],
  });
  sub = User.Attributes.find(({ Name }) => Name === "sub")?.Value ?? "";
  await act("AdminSetUserPassword", {
    UserPoolId: poolId,
    Username: USER,
    Password: PASSWORD,
    Permanent: true,
  });
  await act("CreateGroup", { UserPoolId: poolId, GroupName: "ops" });
  await act("AdminAddUserToGroup", { UserPoolId: poolId, Username: USER, GroupName: "ops" });
  gateway = await startGateway({
    policy: {
      roles: ["viewer", "agent", "admin"],
      routes: [
        { path: "/agents/*", role: "agent", groups: ["ops"] },
        { path: "/admins/*", role: "admin" },
        { path: "/me", tenant: false, tokenUse: ["access"], scopes: ["aws.cognito.signin.user.admin"] },
        { path: "/*" },
      ],
    },
    vars: {
      ORIGIN_URL: origin.url,
      USER_POOLS: [
        {
          id: poolId.includes("_") ? poolId : "local_Pool1",
          client_ids: [clientId],
          issuers: [
            {
              issuer: `${ISSUER_DOMAIN}/${poolId}`,
              jwks_url: `${cognitoUrl}/${poolId}/.well-known/jwks.json`,
            },
          ],
        },
      ],
    },
  });
});

afterAll(async () => {
  await Promise.all([gateway?.close(), origin?.close()]);
  await stopCognitoLocal();
  await rm(home, { recursive: true, force: true });
});

async function outcomeOf(path: string, token: string): Promise<string> {
  const response = await gateway.fetch(path, requestInit({ token }));
  const body = (await response.json()) as { error?: string };
  return body.error ?? String(response.status);
}

describe("tokens that cognito-local has issued", () => {
  it("an ID token passes, with the user's tenant, role, groups and name", async () => {
    const { IdToken } = await signIn();
    expect(await outcomeOf("/agents/x", IdToken)).toBe("200");
    const { headers } = origin.last();
    expect(headers).toMatchObject({
      "x-auth-caller": "user",
      "x-auth-sub": sub,
      "x-auth-tenant-id": "acme",
      "x-tenant-id": "acme",
      "x-auth-role": "agent",
      "x-auth-groups": "ops",
      "x-auth-client-id": clientId,
      "x-auth-token-use": "id",
    });
    expect(headers["x-auth-username"]).toBeTruthy();
    expect(await outcomeOf("/admins/x", IdToken)).toBe("insufficient_role");
    expect(await outcomeOf("/me", IdToken)).toBe("invalid_token_use");
  });

  it("an access token passes where no tenant is needed, and has none", async () => {
    const { AccessToken } = await signIn();
    expect(await outcomeOf("/me", AccessToken)).toBe("200");
    expect(origin.last().headers).toMatchObject({
      "x-auth-sub": sub,
      "x-auth-token-use": "access",
      "x-auth-client-id": clientId,
      "x-auth-scope": "aws.cognito.signin.user.admin",
    });
    expect(origin.last().headers["x-tenant-id"]).toBeUndefined();
    expect(await outcomeOf("/x", AccessToken)).toBe("missing_tenant_claim");
  });

  it("another app client's are refused", async () => {
    const { IdToken, AccessToken } = await signIn(await createClient("another app"));
    expect(await outcomeOf("/x", IdToken)).toBe("invalid_audience");
    expect(await outcomeOf("/me", AccessToken)).toBe("invalid_audience");
  });

  it("changed by one character, they are refused", async () => {
    const { IdToken } = await signIn();
    const [header = "", payload = "", signature = ""] = IdToken.split(".");
    const claims = JSON.parse(Buffer.from(payload, "base64url").toString());
    const raised = Buffer.from(JSON.stringify({ ...claims, "custom:role": "admin" })).toString("base64url");
    expect(await outcomeOf("/admins/x", `${header}.${raised}.${signature}`)).toBe("invalid_signature");
  });

  it("go on while it is away, from the keys that are known", async () => {
    const { IdToken } = await signIn();
    await stopCognitoLocal();
    expect(await outcomeOf("/agents/x", IdToken)).toBe("200");
  });
});
