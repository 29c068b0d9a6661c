import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type LocalKv, openLocalKv } from "./local-kv.ts";
import {
  createProject,
  edge,
  parseJson,
  type RunOptions,
  type TestProject,
  WRANGLER_TIMEOUT_MS,
  wranglerToml,
} from "./project.ts";

const POLICY = { roles: ["viewer", "agent"], m2mScope: "zen/m2m", routes: [{ path: "/v1/*" }] };

let project: TestProject;
let kv: LocalKv;
let close: () => Promise<void>;

beforeAll(async () => {
  project = await createProject(wranglerToml(), POLICY);
  const opened = await openLocalKv(project, ["22222222222222222222222222222222"]);
  [kv] = opened.namespaces as [LocalKv];
  close = opened.close;
});
afterAll(async () => {
  await close();
  await project.remove();
});
beforeEach(async () => {
  for (const { name } of (await kv.list()).keys) await kv.delete(name);
});

const m2m = (args: readonly string[], options: RunOptions = {}) =>
  edge(["m2m", ...args], { cwd: project.folder, ...options });

const clientsFile = (clients: unknown, name = "clients.json") =>
  project.write(name, typeof clients === "string" ? clients : JSON.stringify(clients));

async function stored(): Promise<Record<string, unknown>> {
  const names = (await kv.list()).keys.map(({ name }) => name);
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await kv.get(name)] as const)),
  );
}

describe("edge m2m plan and apply", { timeout: WRANGLER_TIMEOUT_MS }, () => {
  it("shows additions, removals, changes and what is malformed, applies them, and then has nothing to do", async () => {
    await kv.put("gone", '["acme"]');
    await kv.put("changed", '{"tenants":["acme","globex"],"role":"viewer"}');
    await kv.put("kept", '["one","two","three","four"]');
    await kv.put("broken", "[1]");
    const file = await clientsFile({
      added: { tenants: ["acme"], role: "agent" },
      changed: { tenants: ["acme", "initech"], role: "agent", disabled: false },
      kept: ["four", "three", "two", "one"],
      broken: { tenants: ["*"] },
    });
    const before = await stored();
    const plan = await m2m(["plan", file]);
    expect(plan.stdout).toBe(
      [
        "+ added: acme; role agent",
        '! broken: malformed: "[1]"',
        "    + replaced by: *",
        "~ changed",
        "    + initech",
        "    - globex",
        "    ~ role: viewer -> agent",
        "- gone: acme",
        "Plan: 1 to add, 1 to change, 1 to remove, 1 unchanged, 1 malformed to replace. Grants: 3 added, 2 of 7 removed.",
        "",
      ].join("\n"),
    );
    expect(await stored()).toEqual(before);

    const applied = await m2m(["apply", file, "--yes"]);
    expect(applied.stdout).toContain("Done, and read back.");
    expect(applied.exitCode).toBe(0);
    expect(await stored()).toEqual({
      added: '{"tenants":["acme"],"role":"agent"}',
      broken: '{"tenants":["*"]}',
      changed: '{"tenants":["acme","initech"],"role":"agent"}',
      kept: '["one","two","three","four"]',
    });
    const again = await m2m(["apply", file, "--json"]);
    expect(parseJson(again.stdout)).toMatchObject({ ok: true, applied: false, changes: [], unchanged: 4 });
    expect(again.exitCode).toBe(0);
  });

  it("exports a file, in JSON and TOML, that apply finds nothing to do with", async () => {
    await kv.put("a", '{"tenants":["acme"],"role":"agent"}');
    await kv.put("b.c", '{"tenants":["globex"],"disabled":true}');
    const json = await m2m(["export"]);
    expect(JSON.parse(json.stdout)).toEqual({
      a: { tenants: ["acme"], role: "agent" },
      "b.c": { tenants: ["globex"], disabled: true },
    });
    const toml = await m2m(["export", "--format", "toml"]);
    expect(toml.stdout).toContain('["b.c"]\ntenants = [ "globex" ]\ndisabled = true');
    const file = await clientsFile(toml.stdout, "clients.toml");
    expect((await m2m(["apply", file, "--yes"])).stdout).toBe("Nothing to change.\n");
    await kv.put("broken", "{");
    const refused = await m2m(["export"]);
    expect(refused).toMatchObject({ exitCode: 1, stdout: "" });
    expect(refused.stderr).toContain("broken: malformed");
  });

  it("takes away a third of the grants, and more only with --allow-removals; disabling counts", async () => {
    await kv.put("a", '["one","two"]');
    await kv.put("b", '["three"]');
    const third = await clientsFile({ a: ["one", "two"], b: { tenants: ["three"], disabled: true } });
    const passed = await m2m(["apply", third], { input: "" });
    expect(passed.stdout).toContain("1 of 3 removed");
    expect(passed.stderr).toContain("[y/N]");
    const half = await clientsFile({ a: ["one"], b: [] }, "half.json");
    const refused = await m2m(["apply", half, "--yes"]);
    expect(refused.stderr).toContain("2 of 3 grants would go, more than a third");
    expect(refused.exitCode).toBe(1);
    expect(await kv.get("a")).toBe('["one","two"]');
    expect((await m2m(["plan", half])).stderr).toContain("--allow-removals");
    expect((await m2m(["apply", half, "--yes", "--allow-removals"])).exitCode).toBe(0);
    expect(await stored()).toEqual({ a: '{"tenants":["one"]}', b: '{"tenants":[]}' });
  });

  it("refuses where a client has appeared since the plan, though the file does not name it", async () => {
    const file = await clientsFile({ a: ["acme"] });
    const run = await m2m(["apply", file], {
      async onQuestion() {
        await kv.put("newcomer", '["globex"]');
        return "y\n";
      },
    });
    expect(run.stderr).toContain("newcomer\n  the plan saw: nothing\n  KV holds now: globex");
    expect(run.exitCode).toBe(1);
    expect(await stored()).toEqual({ newcomer: '["globex"]' });
  });

  it("names every fault of a file at once, and reads KV for none of them", async () => {
    const file = await clientsFile({
      "a b": ["acme"],
      b: { tenants: ["x,y", 1], role: "" },
      c: { tenant: ["acme"] },
      d: "acme",
    });
    const run = await m2m(["apply", file, "--yes"]);
    expect(run.exitCode).toBe(2);
    for (const fault of [
      '"a b": is not an app client id',
      "b.tenants.0: must be 1 to 128 visible ASCII characters",
      "b.tenants.1: must be a string",
      "b.role: must not be empty",
      "c.tenants: is missing",
      "c.tenant: is not known here",
      "d: must be a table",
    ])
      expect(run.stderr).toContain(fault);
    expect(run.stderr).not.toContain("M2M_TENANTS");
    const toml = await m2m(["plan", await clientsFile("a = [", "bad.toml")]);
    expect(toml.stderr).toMatch(/bad\.toml, line \d is not TOML/);
    expect((await m2m(["apply", "-"], { input: "{}" })).exitCode).toBe(2);
  });
});

describe("edge m2m, large", { timeout: WRANGLER_TIMEOUT_MS }, () => {
  it("writes and reads a client with 100,000 tenants, and shows the first of them", async () => {
    const tenants = Array.from({ length: 100_000 }, (_, index) => `tenant-${String(index).padStart(6, "0")}`);
    const file = await clientsFile({ large: { tenants, role: "agent" } });
    const run = await m2m(["apply", file, "--yes"]);
    expect(run.stdout).toContain("tenant-000019 and 99980 more; role agent");
    expect(run.stdout).toContain("Grants: 100000 added");
    expect(run.exitCode).toBe(0);
    expect(JSON.parse(String(await kv.get("large"))).tenants).toHaveLength(100_000);
  });

  it("writes and reads more clients than go into one run of wrangler, and shows how far it is", async () => {
    const clients = Object.fromEntries(
      Array.from({ length: 2_001 }, (_, index) => [`client-${String(index).padStart(4, "0")}`, ["acme"]]),
    );
    const run = await m2m(["apply", await clientsFile(clients), "--yes", "--json"]);
    expect(run.exitCode).toBe(0);
    expect(parseJson(run.stdout)["grants"]).toEqual({ before: 0, added: 2_001, removed: 0 });
    for (const progress of ["Written: 1000 of 2001", "Written: 2001 of 2001", "Read: 2001 of 2001"])
      expect(run.stderr).toContain(progress);
    expect(await kv.get("client-2000")).toBe('{"tenants":["acme"]}');
  });
});
