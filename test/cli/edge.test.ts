import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  createProject,
  edge,
  parseJson,
  type Run,
  type TestProject,
  WRANGLER_TIMEOUT_MS,
  wranglerToml,
} from "./project.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const COMMANDS = [
  "check",
  "doctor",
  "explain",
  "m2m",
  "report",
  "revoke",
  "unrevoke",
  "revocations",
  "smoke",
  "token",
];

let project: TestProject;

beforeAll(async () => {
  project = await createProject(wranglerToml(), { m2mScope: "zen/m2m", routes: [{ path: "/v1/*" }] });
});
afterAll(() => project.remove());

describe("edge, help", () => {
  it("lists every command with a line, and ends with 0", async () => {
    const { exitCode, stdout, stderr } = await edge(["--help"]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    for (const name of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${name}\\b.* {2}[A-Z]`, "m"));
    expect(stdout).toContain("Exit code 0: done; 1: refused or failed; 2: bad usage.");
    expect(stdout).toContain("npx edge explain --env dev");
  });

  it.each(COMMANDS.filter((name) => name !== "revocations" && name !== "unrevoke"))(
    "teaches %s: what it does, its options and the global ones, and an example",
    async (name) => {
      const { exitCode, stdout } = await edge(["help", name]);
      expect(exitCode).toBe(0);
      expect(stdout).toContain("--json");
      if (name !== "token") expect(stdout).toMatch(/Examples?:\n(?:.*\n)*.*npx edge /);
    },
  );
});

describe("edge, exit codes", { timeout: WRANGLER_TIMEOUT_MS }, () => {
  it("ends with 2 and a hint for bad usage", async () => {
    for (const [args, says] of [
      [[], "Usage: edge"],
      [["m2m"], "Usage: edge m2m"],
      [["chek"], "Did you mean check?"],
      [["check", "--unknown"], "unknown option '--unknown'"],
      [["report"], "missing required argument 'file'"],
      [["m2m", "list", "--local", "--remote"], "cannot be used with option"],
      [["m2m", "list", "--env", "prod"], "There is no environment prod: dev."],
      [["m2m", "export", "--format", "yaml"], "Allowed choices are json, toml"],
    ] as const) {
      const run = await edge(args, { cwd: project.folder });
      expect({ args, exitCode: run.exitCode, stdout: run.stdout }).toEqual({ args, exitCode: 2, stdout: "" });
      expect(run.stderr).toContain(says);
      expect(run.stderr).not.toContain("    at "); // no stack
    }
  });

  it("ends with 2 outside of a project, and says where to go", async () => {
    const folder = await mkdtemp(join(tmpdir(), "edge-nowhere-"));
    const run = await edge(["m2m", "list"], { cwd: folder });
    await rm(folder, { recursive: true });
    expect(run.stderr).toContain("There is no wrangler.toml here; run this in the project's folder.");
    expect(run.exitCode).toBe(2);
  });

  it("refuses Cloudflare's KV while its id is a placeholder, before anything is asked", async () => {
    const run = await edge(["m2m", "list", "--env", "dev", "--remote"], { cwd: ROOT });
    expect(run.stderr).toContain("The id of M2M_TENANTS is still REPLACE_ME_M2M_TENANTS_DEV");
    expect(run.exitCode).toBe(1);
  });
});

describe("edge, --json", { timeout: WRANGLER_TIMEOUT_MS }, () => {
  it("prints one document on standard output for a failure too, wherever the option stands", async () => {
    for (const [args, exitCode, error] of [
      [["--json", "report", "nowhere.log"], 2, "usage"],
      [["token", "decode", "-", "--json"], 1, "refused"],
      [["--json", "no-such-command"], 2, "usage"],
      [["m2m", "--json", "grant", "client", "a,b"], 2, "usage"],
    ] as const) {
      const run = await edge(args, { cwd: project.folder });
      expect(run.exitCode).toBe(exitCode);
      expect(parseJson(run.stdout)).toMatchObject({ ok: false, error, message: expect.any(String) });
    }
  });
});

describe("edge, colours", () => {
  it("shows none where standard output is no terminal", async () => {
    const run = await edge(["check"], { cwd: ROOT, env: { NO_COLOR: "" } });
    expect(run.stdout + run.stderr).not.toContain("\u001b");
  });
});

/** Runs `npx edge` as a user's shell does, whose own Node may be any. */
function npx(args: readonly string[], cwd: string, cache: string): Promise<Run> {
  const path = (process.env["PATH"] ?? "").split(delimiter).filter((part) => !part.includes("node_modules"));
  const { NODE_OPTIONS: _, ...env } = process.env;
  const child = spawn("npx", ["--offline", "edge", ...args], {
    cwd,
    env: { ...env, PATH: path.join(delimiter), npm_config_cache: cache, NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const printed = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    printed.stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    printed.stderr += text;
  });
  return new Promise((resolve) => child.once("close", (exitCode) => resolve({ exitCode, ...printed })));
}

describe("npx edge", { timeout: WRANGLER_TIMEOUT_MS }, () => {
  it("runs on the project's own Node, in the project's folder and below it, without a network", async () => {
    const cache = await mkdtemp(join(tmpdir(), "edge-npm-"));
    for (const cwd of [ROOT, join(ROOT, "src/core")]) {
      const run = await npx(["check", "--json"], cwd, cache);
      expect({ cwd, exitCode: run.exitCode, stderr: run.stderr }).toEqual({ cwd, exitCode: 0, stderr: "" });
      expect(parseJson(run.stdout)).toMatchObject({ ok: true, environments: ["dev", "production"] });
    }
    await rm(cache, { recursive: true });
  });
});
