import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { startCognito, startOrigin, type TestServer } from "../support/servers.ts";
import { createSigningKey, idClaims, machineClaims, type SigningKey, sign } from "../support/tokens.ts";
import { persistFolder } from "./local-kv.ts";
import { createProject, edge, type TestProject, WRANGLER_TIMEOUT_MS, wranglerToml } from "./project.ts";

const POOL = "us-east-2_Ab12Cd34E";
const POLICY = { roles: ["viewer", "agent"], m2mScope: "zen/m2m", routes: [{ path: "/v1/*" }] };

let key: SigningKey;
let cognito: TestServer;
let origin: TestServer;
let project: TestProject;
let gateway: TestGateway;
let issuer: string;
const now = () => Math.floor(Date.now() / 1000);

beforeAll(async () => {
  key = await createSigningKey("key-1");
  [cognito, origin] = await Promise.all([startCognito(() => [key.jwk]), startOrigin()]);
  issuer = `${cognito.url}/${POOL}`;
  // the test gateway's namespaces have their bindings as ids
  const toml = wranglerToml()
    .replace(/"1{32}"/, '"JWKS"')
    .replace(/"2{32}"/, '"M2M_TENANTS"')
    .replace(/"3{32}"/, '"REVOCATIONS"');
  project = await createProject(toml, POLICY);
  gateway = await startGateway({
    policy: POLICY,
    namespaces: ["JWKS", "M2M_TENANTS", "REVOCATIONS"],
    kvPersist: persistFolder(project),
    vars: {
      ORIGIN_URL: origin.url,
      USER_POOLS: [
        { id: POOL, client_ids: ["app-client"], issuers: [{ issuer, jwks_url: `${issuer}/jwks.json` }] },
      ],
    },
  });
});
afterAll(async () => {
  await gateway.close();
  await Promise.all([cognito.close(), origin.close(), project.remove()]);
});

async function ask(token: string, tenant?: string): Promise<number | string> {
  const headers = {
    authorization: `Bearer ${token}`,
    ...(tenant !== undefined && { "x-tenant-id": tenant }),
  };
  const response = await gateway.fetch("/v1/x", { headers });
  return response.status === 200 ? 200 : ((await response.json()) as { error: string }).error;
}

const change = async (args: readonly string[]): Promise<string> => {
  const run = await edge([...args, "--yes"], { cwd: project.folder });
  expect({ exitCode: run.exitCode, stderr: run.stderr }).toMatchObject({ exitCode: 0 });
  return run.stdout;
};

describe("edge and the running gateway, over the same KV", { timeout: WRANGLER_TIMEOUT_MS }, () => {
  it("lets in the machine that was granted a tenant, and refuses the person who was revoked", async () => {
    await change(["m2m", "grant", "machine-1", "acme", "--role", "agent"]);
    await change(["revoke", "sub", "revoked-person"]);
    const machine = await sign(key, machineClaims(issuer, now()));
    expect(await ask(machine, "acme")).toBe(200);
    expect(origin.last().headers).toMatchObject({ "x-auth-tenant-id": "acme", "x-auth-role": "agent" });
    expect(await ask(machine, "globex")).toBe("tenant_not_allowed");
    const person = (sub: string, iat: number) => sign(key, idClaims(issuer, iat, { sub, exp: now() + 600 }));
    expect(await ask(await person("revoked-person", now() - 300))).toBe("token_revoked");
    expect(await ask(await person("another-person", now() - 300))).toBe(200);
    // who signs in again is let in: only what was issued before is refused
    expect(await ask(await person("revoked-person", now()))).toBe(200);
  });

  it("sees a lifted revocation and a taken grant after its copy's 30 seconds", async () => {
    await change(["unrevoke", "sub", "revoked-person"]);
    expect(await change(["m2m", "revoke", "machine-1", "acme"])).toContain("~ machine-1\n    - acme\n");
    // an empty list rather than none, and the role stays
    expect(await (await gateway.kv("M2M_TENANTS")).get("machine-1")).toBe('{"tenants":[],"role":"agent"}');
    const person = await sign(key, idClaims(issuer, now() - 300, { sub: "revoked-person" }));
    const machine = await sign(key, machineClaims(issuer, now()));
    await expect.poll(() => ask(person), { timeout: 90_000, interval: 2_000 }).toBe(200);
    await expect
      .poll(() => ask(machine, "acme"), { timeout: 90_000, interval: 2_000 })
      .toBe("tenant_not_allowed");
  });
});
