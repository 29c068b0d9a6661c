import { beforeEach, describe, expect, it } from "vitest";
import { useKvProject } from "./kv-project.ts";
import { parseJson, type RunOptions, WRANGLER_TIMEOUT_MS } from "./project.ts";

// a run of wrangler takes seconds: the tests share them, and seed and look into KV themselves
const allowLists = useKvProject("M2M_TENANTS", {
  roles: ["viewer", "agent"],
  m2mScope: "zen/m2m",
  routes: [{ path: "/v1/*" }],
});
const { clear, stored } = allowLists;
const put = (client: string, text: string) => allowLists.kv.put(client, text);
const m2m = (args: readonly string[], options?: RunOptions) => allowLists.run(["m2m", ...args], options);

const clientsFile = (clients: unknown, name = "clients.json") =>
  allowLists.project.write(name, typeof clients === "string" ? clients : JSON.stringify(clients));

beforeEach(clear);

describe("edge m2m plan, apply and export", { timeout: WRANGLER_TIMEOUT_MS }, () => {
  it("shows every kind of change, applies them with --allow-removals alone, and exports what apply finds nothing to do with", async () => {
    await put("b.c", '["one","two"]');
    await put("broken", "[1]");
    await put("changed", '{"tenants":["acme","globex"],"role":"viewer"}');
    await put("gone", '["acme"]');
    await put("kept", '["one","two","three","four"]');
    const file = await clientsFile({
      added: { tenants: ["acme"], role: "agent" },
      "b.c": { tenants: ["one", "two"], disabled: true },
      broken: { tenants: ["*"] },
      changed: { tenants: ["acme", "initech"], role: "agent", disabled: false },
      kept: ["four", "three", "two", "one"],
    });
    const before = await stored();
    const plan = await m2m(["plan", file]);
    expect(plan.stdout).toBe(
      [
        "+ added: acme; role agent",
        "~ b.c",
        "    ~ disabled: false -> true",
        '! broken: malformed: "[1]"',
        "    + replaced by: *",
        "~ changed",
        "    + initech",
        "    - globex",
        "    ~ role: viewer -> agent",
        "- gone: acme",
        "Plan: 1 to add, 2 to change, 1 to remove, 1 unchanged, 1 malformed to replace. Grants: 3 added, 4 of 9 removed.",
        "",
      ].join("\n"),
    );
    expect(plan.stderr).toContain("--allow-removals");
    expect(plan.exitCode).toBe(0);
    const refused = await m2m(["apply", file, "--yes"]);
    expect(refused.stderr).toContain("4 of 9 grants would go, more than a third");
    expect(refused.exitCode).toBe(1);
    const unread = await m2m(["export"]);
    expect(unread).toMatchObject({ exitCode: 1, stdout: "" });
    expect(unread.stderr).toContain("broken: malformed");
    expect(await stored()).toEqual(before);

    const applied = await m2m(["apply", file, "--yes", "--allow-removals"]);
    expect(applied.stdout).toContain("Done, and read back.");
    expect(applied.exitCode).toBe(0);
    expect(await stored()).toEqual({
      added: '{"tenants":["acme"],"role":"agent"}',
      "b.c": '{"tenants":["one","two"],"disabled":true}',
      broken: '{"tenants":["*"]}',
      changed: '{"tenants":["acme","initech"],"role":"agent"}',
      kept: '["one","two","three","four"]',
    });

    const json = await m2m(["export"]);
    expect(json.exitCode, json.stderr).toBe(0);
    expect(JSON.parse(json.stdout)).toEqual({
      added: { tenants: ["acme"], role: "agent" },
      "b.c": { tenants: ["one", "two"], disabled: true },
      broken: { tenants: ["*"] },
      changed: { tenants: ["acme", "initech"], role: "agent" },
      kept: { tenants: ["four", "one", "three", "two"] },
    });
    const toml = await m2m(["export", "--format", "toml"]);
    expect(toml.exitCode, toml.stderr).toBe(0);
    expect(toml.stdout).toContain('["b.c"]\ntenants = [ "one", "two" ]\ndisabled = true');
    const again = await m2m(["apply", await clientsFile(toml.stdout, "clients.toml"), "--json"]);
    expect(parseJson(again.stdout)).toMatchObject({ ok: true, applied: false, changes: [], unchanged: 5 });
    expect(again.exitCode).toBe(0);
  });

  it("asks where a third of the grants goes, disabling counted; refuses where a client that the file does not name has appeared since", async () => {
    await put("a", '["one","two"]');
    await put("b", '["three"]');
    const file = await clientsFile({ a: ["one", "two"], b: { tenants: ["three"], disabled: true } });
    const run = await m2m(["apply", file], {
      async onQuestion() {
        await put("newcomer", '["globex"]');
        return "y\n";
      },
    });
    expect(run.stdout).toContain("1 of 3 removed");
    expect(run.stderr).toContain("[y/N]");
    expect(run.stderr).toContain("newcomer\n  the plan saw: nothing\n  KV holds now: globex");
    expect(run.exitCode).toBe(1);
    expect(await stored()).toEqual({ a: '["one","two"]', b: '["three"]', newcomer: '["globex"]' });
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
  it("writes and reads 100,000 tenants, and more clients than go into one run of wrangler, and shows how far it is", async () => {
    const tenants = Array.from({ length: 100_000 }, (_, index) => `tenant-${String(index).padStart(6, "0")}`);
    const clients = Object.fromEntries(
      Array.from({ length: 2_000 }, (_, index) => [`client-${String(index).padStart(4, "0")}`, ["acme"]]),
    );
    const file = await clientsFile({ ...clients, large: { tenants, role: "agent" } });
    const run = await m2m(["apply", file, "--yes"]);
    expect(run.stdout).toContain("tenant-000019 and 99980 more; role agent");
    expect(run.stdout).toContain("Plan: 2001 to add");
    expect(run.stdout).toContain("Grants: 102000 added, 0 of 0 removed.");
    for (const progress of ["Written: 1000 of 2001", "Written: 2001 of 2001", "Read: 2001 of 2001"])
      expect(run.stderr).toContain(progress);
    expect(run.exitCode).toBe(0);
    expect(JSON.parse(String(await allowLists.kv.get("large"))).tenants).toHaveLength(100_000);
    expect(await allowLists.kv.get("client-1999")).toBe('{"tenants":["acme"]}');
  });
});
