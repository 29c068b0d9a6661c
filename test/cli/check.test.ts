import { afterEach, describe, expect, it } from "vitest";
import { createProject, edge, parseJson, policySource, type TestProject, wranglerToml } from "./project.ts";

const POLICY = { roles: ["viewer"], m2mScope: "zen/m2m", routes: [{ path: "/v1/*", role: "viewer" }] };

interface Finding {
  readonly level: string;
  readonly where: string;
  readonly what: string;
}

let project: TestProject | undefined;

afterEach(() => project?.remove());

async function check(toml: string, policy: unknown = POLICY, args: readonly string[] = []) {
  project = await createProject(toml, policy);
  return runCheck(project, args);
}

async function runCheck({ folder }: TestProject, args: readonly string[] = []) {
  const run = await edge(["--json", "check", ...args], { cwd: folder });
  const { findings, ok } = parseJson(run.stdout) as { findings: Finding[]; ok: boolean };
  return { exitCode: run.exitCode, ok, findings };
}

const of = (findings: readonly Finding[], level: string): string[] =>
  findings.filter((finding) => finding.level === level).map(({ where, what }) => `${where}: ${what}`);

describe("edge check", () => {
  it("passes without a word about a complete project", async () => {
    const { exitCode, ok, findings } = await check(wranglerToml(), POLICY, ["--deploy"]);
    expect({ exitCode, ok, findings }).toEqual({ exitCode: 0, ok: true, findings: [] });
  });

  it("passes on the shipped project, where placeholders are allowed", async () => {
    const run = await edge(["check"]);
    expect(run.stdout).toMatch(/Checked dev, production: 0 errors/);
    expect(run.exitCode).toBe(0);
  });

  it("fails on the shipped project before a deploy, and names each placeholder", async () => {
    const run = await edge(["check", "--deploy", "--env", "production"]);
    expect(run.exitCode).toBe(1);
    for (const path of [
      "ORIGIN_URL",
      "USER_POOLS.0.id",
      "CORS_ORIGINS.0",
      "kv_namespaces JWKS id",
      "routes.0",
    ])
      expect(run.stdout).toContain(`${path}: is still `);
  });

  it("names every fault of a configuration at once, with its path", async () => {
    const { exitCode, findings } = await check(
      wranglerToml('USER_POOLS = []\nMODE = "off"\nEXP_TOLERANCE_SECONDS = 301'),
    );
    expect(exitCode).toBe(1);
    expect(of(findings, "error")).toEqual([
      "dev: USER_POOLS: must name at least one user pool",
      "dev: EXP_TOLERANCE_SECONDS: must be a number of seconds from 0 to 300",
      "dev: MODE: must be enforce or report",
    ]);
  });

  it("fails on an environment without its own vars, since none are inherited", async () => {
    const { exitCode, findings } = await check(`${wranglerToml()}\n[env.empty]\n`);
    expect(exitCode).toBe(1);
    expect(of(findings, "error")).toContain("empty: ORIGIN_URL: is missing");
    expect(of(findings, "error")).toContain("empty: JWKS: KV binding is missing");
  });

  it("names every fault of a policy at once, an unreachable route among the kinds", async () => {
    project = await createProject(wranglerToml(), POLICY);
    await project.write(
      "src/policy.ts",
      policySource({ roles: ["a"], routes: [{ path: "/x", role: "b" }, { path: "y" }] }),
    );
    const faulty = await runCheck(project);
    expect(faulty.exitCode).toBe(1);
    expect(of(faulty.findings, "error")).toEqual([
      "policy: routes.0.role: is not one of roles",
      "policy: routes.1.path: must start with /",
    ]);
    await project.write("src/policy.ts", policySource({ routes: [{ path: "/v1/*" }, { path: "/v1/a" }] }));
    expect(of((await runCheck(project)).findings, "error")).toEqual([
      "policy: routes.1: can never be reached, since earlier routes take all that it takes",
    ]);
  });

  it("fails on a policy that cannot be run, and on none", async () => {
    project = await createProject(wranglerToml(), POLICY);
    await project.write("src/policy.ts", "export default missingName;");
    expect(of((await runCheck(project)).findings, "error")).toEqual([
      "policy: src/policy.ts cannot be run: missingName is not defined",
    ]);
    await project.write("src/policy.ts", "export const policy = 1;");
    expect(of((await runCheck(project)).findings, "error")).toEqual([
      "policy: src/policy.ts must export a policy as its default",
    ]);
  });

  it("fails on a route to an origin that an environment does not have", async () => {
    const { exitCode, findings } = await check(wranglerToml(), {
      routes: [{ path: "/v1/*", origin: "billing" }],
    });
    expect(exitCode).toBe(1);
    expect(of(findings, "error")).toEqual(["dev: routes.0.origin: is not one of ORIGINS"]);
  });

  it("warns of routes without a tenant check, and lists public routes", async () => {
    const { exitCode, findings } = await check(wranglerToml(), {
      m2mScope: "zen/m2m",
      routes: [
        { path: "/hook", methods: ["POST"], access: "public" },
        { path: "/v1/me", tenant: false },
        { path: "/v1/tenants/:tenantId/*" },
        { path: "/v1/try", mode: "report" },
      ],
    });
    expect(exitCode).toBe(0);
    expect(of(findings, "note")).toEqual(["policy: routes.0 POST /hook: public, no token is looked at"]);
    expect(of(findings, "warning")).toEqual([
      "policy: routes.1 /v1/me: tenant is false, so callers without a tenant are let in",
      'policy: routes.2 /v1/tenants/:tenantId/*: :tenantId is not compared with the caller\'s tenant; set tenantParam: "tenantId"',
      "policy: routes.3 /v1/try: mode is report, so it forwards what it would refuse",
    ]);
  });

  it("warns of http, of report mode and of a second entrance", async () => {
    const toml = wranglerToml(
      'USER_POOLS = [{ id = "us-east-2_Ab12Cd34E", client_ids = [], issuers = [{ issuer = "http://localhost:9100/p", jwks_url = "http://localhost:9100/p/jwks" }] }]\nMODE = "report"\nORIGINS = { local = "http://127.0.0.1:9200" }\nCORS_ORIGINS = ["http://app.example.com", "http://localhost:5173"]\nEXP_TOLERANCE_SECOND = 3',
    ).replace("workers_dev = false", "workers_dev = true");
    const { exitCode, findings } = await check(toml);
    expect(exitCode).toBe(0);
    expect(of(findings, "warning").map((text) => text.replace(/^dev: /, ""))).toEqual([
      "EXP_TOLERANCE_SECOND: is no variable of the gateway, so it has no effect",
      "ORIGINS.local: is http, which is for a local stand-in only",
      "USER_POOLS: the keys of http://localhost:9100/p are fetched over http",
      "CORS_ORIGINS: http://app.example.com is http, so whoever is on its network path can act for its users",
      "MODE: is report, so requests that would be refused are forwarded, without identity",
      "workers_dev: is true, so the gateway also answers under workers.dev",
    ]);
  });

  it("fails on a variable of more than 5 KB, and passes one of exactly 5 KB", async () => {
    const realm = (bytes: number) =>
      wranglerToml(
        `USER_POOLS = [{ id = "us-east-2_Ab12Cd34E", client_ids = [] }]\nREALM = "${"x".repeat(bytes)}"`,
      );
    expect((await check(realm(5120))).findings).toEqual([]);
    await project?.remove();
    const { exitCode, findings } = await check(realm(5121));
    expect(exitCode).toBe(1);
    expect(of(findings, "error")).toEqual([
      "dev: REALM: has 5121 bytes, and Cloudflare takes 5120 for a variable",
    ]);
  });

  it("fails on a secret among the variables", async () => {
    const { exitCode, findings } = await check(
      wranglerToml('USER_POOLS = [{ id = "us-east-2_Ab12Cd34E", client_ids = [] }]\nORIGIN_SECRET = "hush"'),
    );
    expect(exitCode).toBe(1);
    expect(of(findings, "error")).toEqual([
      "dev: ORIGIN_SECRET: is a secret; remove it here and set it with: wrangler secret put ORIGIN_SECRET",
    ]);
  });

  it("counts one note as one, and two as two", async () => {
    const run = await edge(["check"]);
    expect(run.stdout).toMatch(/^Checked dev, production: 0 errors, 0 warnings, 3 notes\.$/m);
    const one = await edge(["check", "--env", "dev"]);
    expect(one.stdout).toMatch(/^Checked dev: 0 errors, 0 warnings, (?:1 note|[2-9] notes)\.$/m);
  });

  it("fails before a deploy where a KV id is missing, and only then", async () => {
    const toml = wranglerToml().replace('id = "33333333333333333333333333333333"\n', "");
    expect((await check(toml)).exitCode).toBe(0);
    await project?.remove();
    const { exitCode, findings } = await check(toml, POLICY, ["--deploy"]);
    expect(exitCode).toBe(1);
    expect(of(findings, "error")).toEqual([
      "dev: kv_namespaces REVOCATIONS: has no id; create one with: npx wrangler kv namespace create edge-authorizer-revocations-dev",
    ]);
  });

  it("warns of a namespace that two environments share", async () => {
    const toml = wranglerToml();
    const second = toml.slice(toml.indexOf("[env.dev]")).replaceAll("env.dev", "env.production");
    const { findings } = await check(toml + second);
    expect(of(findings, "warning")).toContain(
      "environments: KV namespace 22222222222222222222222222222222: is shared by dev and production",
    );
  });

  it("names the environments that there are where --env names none of them", async () => {
    const { exitCode, findings } = await check(wranglerToml(), POLICY, ["--env", "prod"]);
    expect(exitCode).toBe(1);
    expect(of(findings, "error")).toEqual(["wrangler.toml: has no environment prod; it has: dev"]);
  });

  it("names the line of a wrangler.toml that cannot be read", async () => {
    const { exitCode, findings } = await check("name = \nmain = 1");
    expect(exitCode).toBe(1);
    expect(of(findings, "error")[0]).toMatch(/^wrangler\.toml: line 1: /);
  });
});
