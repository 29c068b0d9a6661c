import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type CloudflareApi, startCloudflareApi } from "./cloudflare-api.ts";
import {
  createProject,
  edge,
  parseJson,
  type TestProject,
  WRANGLER_TIMEOUT_MS,
  wranglerToml,
} from "./project.ts";

const M2M_TENANTS = "22222222222222222222222222222222";
const REVOCATIONS = "33333333333333333333333333333333";

let project: TestProject;
let api: CloudflareApi;

beforeAll(async () => {
  api = await startCloudflareApi();
  project = await createProject(wranglerToml(), { m2mScope: "zen/m2m", routes: [{ path: "/v1/*" }] });
});
afterAll(() => Promise.all([api.close(), project.remove()]));
beforeEach(() => {
  api.namespaces.clear();
});

const remote = (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  edge([...args, "--remote"], { cwd: project.folder, env: { ...api.env, ...env } });

describe("edge --remote, through wrangler to Cloudflare's API", { timeout: WRANGLER_TIMEOUT_MS }, () => {
  it("applies a file of more clients than one bulk read takes, and reads all of it back", async () => {
    api.namespaces.set(M2M_TENANTS, new Map([["old", { value: '["acme"]' }]]));
    const names = Array.from({ length: 150 }, (_, index) => `client-${index}`);
    const clients = { old: ["acme"], ...Object.fromEntries(names.map((name) => [name, ["globex"]])) };
    const file = await project.write("clients.json", JSON.stringify(clients));
    const run = await remote(["m2m", "apply", file, "--yes"]);
    expect(run.stderr).toContain("M2M_TENANTS of dev at Cloudflare (--remote).");
    expect(run.stdout).toContain("Plan: 150 to add, 0 to change, 0 to remove, 1 unchanged.");
    expect(run.stdout).toContain("Done, and read back.");
    expect(run.exitCode).toBe(0);
    expect(api.namespaces.get(M2M_TENANTS)?.size).toBe(151);
    expect(api.namespaces.get(M2M_TENANTS)?.get("client-149")?.value).toBe('{"tenants":["globex"]}');
  });

  it("writes a revocation with its metadata and its TTL, lists it and lifts it", async () => {
    expect((await remote(["revoke", "client", "app", "--yes"])).exitCode).toBe(0);
    const entry = api.namespaces.get(REVOCATIONS)?.get("client:app");
    expect(entry?.metadata).toEqual({ before: expect.any(Number) });
    expect(parseJson(entry?.value ?? "")).toEqual(entry?.metadata);
    expect(entry?.expiration).toBeGreaterThan(Date.now() / 1000 + 86_000);
    const listed = await remote(["revocations", "--json"]);
    expect(parseJson(listed.stdout)).toMatchObject({
      revocations: [{ key: "client:app", kind: "client", value: "app", expires: entry?.expiration }],
    });
    expect((await remote(["unrevoke", "client", "app", "--yes"])).exitCode).toBe(0);
    expect(api.namespaces.get(REVOCATIONS)?.size).toBe(0);
  });

  it("says what to do where Cloudflare does not take the login", async () => {
    const run = await remote(["m2m", "list"], { CLOUDFLARE_API_TOKEN: "wrong" });
    expect(run.stderr).toMatch(/error: M2M_TENANTS cannot be listed: .*npx wrangler login/);
    expect(run.stderr).not.toContain("    at "); // no stack
    expect(run.exitCode).toBe(1);
  });
});
