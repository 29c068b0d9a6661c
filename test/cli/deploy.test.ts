import { afterEach, describe, expect, it } from "vitest";
import { createProject, runScript, type TestProject, wranglerToml } from "./project.ts";

const POLICY = { m2mScope: "zen/m2m", routes: [{ path: "/v1/*" }] };

let project: TestProject | undefined;

afterEach(() => project?.remove());

async function deploy(toml: string, args: readonly string[]) {
  project = await createProject(toml, POLICY);
  return runScript("src/cli/deploy.ts", args, { cwd: project.folder });
}

describe("npm run deploy", () => {
  it("hands over to wrangler, with its other options, where the check finds no error", async () => {
    const run = await deploy(wranglerToml(), ["--env", "dev", "--dry-run"]);
    expect(run.stdout).toMatch(/env\.M2M_TENANTS[\s\S]*--dry-run: exiting now\./);
    expect(run.exitCode).toBe(0);
  });

  it("deploys nothing where the check finds an error, and names it", async () => {
    const run = await deploy(wranglerToml().replace("api.example.com", "api.REPLACE_ME.example"), [
      "--env=dev",
      "--dry-run",
    ]);
    expect(run.stderr).toContain("error dev: routes.0: is still api.REPLACE_ME.example");
    expect(run.stderr).toContain("Nothing was deployed");
    expect(run.stdout).toBe("");
    expect(run.exitCode).toBe(1);
  });

  it("deploys with warnings, and shows them", async () => {
    const toml = wranglerToml().replace("workers_dev = false", "workers_dev = true");
    const run = await deploy(toml, ["-e", "dev", "--dry-run"]);
    expect(run.stderr).toContain("warning dev: workers_dev: is true");
    expect(run.exitCode).toBe(0);
  });

  it("refuses without an environment, and says which there are", async () => {
    const run = await deploy(wranglerToml(), ["--dry-run"]);
    expect(run.stderr).toContain("name the environment: --env NAME\nwrangler.toml has: dev");
    expect(run.stdout).toBe("");
    expect(run.exitCode).toBe(2);
  });

  it("refuses options that would deploy what was not checked", async () => {
    const run = await deploy(wranglerToml(), ["--env", "dev", "--var", "MODE:report", "--dry-run"]);
    expect(run.stderr).toContain("--var would deploy what nobody has checked");
    expect(run.exitCode).toBe(2);
  });

  it("ends as wrangler ends", async () => {
    const run = await deploy(wranglerToml().replace("src/worker.ts", "src/missing.ts"), [
      "--env",
      "dev",
      "--dry-run",
    ]);
    expect(run.exitCode).toBe(1);
  });
});

describe("npm run check:bundle", () => {
  it("prints the size of each environment's bundle, and passes below the limit", async () => {
    project = await createProject(wranglerToml(), POLICY);
    const run = await runScript("src/cli/check-bundle.ts", [], { cwd: project.folder });
    expect(run.stdout).toMatch(/^dev: \d+ bytes, \d+ after gzip, \d+ % of 25000\n$/);
    expect(run.exitCode).toBe(0);
  });

  it("fails on a bundle above the limit", async () => {
    project = await createProject(wranglerToml(), POLICY);
    const noise = Array.from({ length: 20_000 }, () => Math.random().toString(36)).join("");
    await project.write(
      "src/worker.ts",
      `export default { fetch: () => new Response(${JSON.stringify(noise)}) };`,
    );
    const run = await runScript("src/cli/check-bundle.ts", [], { cwd: project.folder });
    expect(run.stderr).toContain("dev: the bundle is larger than 25000 bytes after gzip");
    expect(run.exitCode).toBe(1);
  });

  it("fails on any warning of wrangler's", async () => {
    project = await createProject(`${wranglerToml()}\n[env.bare]\nunknown_field = 1\n`, POLICY);
    const run = await runScript("src/cli/check-bundle.ts", [], { cwd: project.folder });
    expect(run.stderr).toMatch(/bare: wrangler warns: .*unknown_field/);
    expect(run.exitCode).toBe(1);
  });
});
