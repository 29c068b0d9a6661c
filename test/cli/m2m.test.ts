import { afterAll, beforeAll, describe, expect, it } from "vitest";
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

const m2m = (args: readonly string[], options: RunOptions = {}) =>
  edge(["m2m", ...args], { cwd: project.folder, ...options });

describe("edge m2m grant", { timeout: WRANGLER_TIMEOUT_MS }, () => {
  it("adds tenants, keeps role and disabled, and prints JSON alone with --json", async () => {
    await kv.put("keeps", '{"tenants":["globex"],"role":"agent","disabled":true}');
    const run = await m2m(["grant", "keeps", "acme", "globex", "--yes", "--json"]);
    expect(run.exitCode).toBe(0);
    expect(parseJson(await kv.get("keeps").then(String))).toEqual({
      tenants: ["acme", "globex"],
      role: "agent",
      disabled: true,
    });
    expect(parseJson(run.stdout)).toMatchObject({
      ok: true,
      applied: true,
      changes: [{ client_id: "keeps", change: "change", added_tenants: ["acme"], removed_tenants: [] }],
      warnings: ["keeps: is disabled, so its tenants open nothing"],
    });
    expect(run.stderr).toContain("M2M_TENANTS of dev on this machine (--local)");
  });

  it("shows the difference and asks, and changes nothing for no answer or another than yes", async () => {
    await kv.put("asks", '["acme"]');
    for (const input of ["", "n\n"]) {
      const run = await m2m(["grant", "asks", "globex"], { input });
      expect(run.stdout).toContain("~ asks\n    + globex\nPlan: 0 to add, 1 to change");
      expect(run.stderr).toContain("Make this change? [y/N]");
      expect(run.stderr).toContain("error: Nothing was changed");
      expect(run.exitCode).toBe(1);
    }
    expect(await kv.get("asks")).toBe('["acme"]');
  });

  it("refuses where somebody else has written since the difference was shown, and shows both sides", async () => {
    await kv.put("raced", '["acme"]');
    const run = await m2m(["grant", "raced", "globex"], {
      async onQuestion() {
        await kv.put("raced", '["initech"]');
        return "y\n";
      },
    });
    expect(run.stderr).toContain("raced\n  the plan saw: acme\n  KV holds now: initech");
    expect(run.exitCode).toBe(1);
    expect(await kv.get("raced")).toBe('["initech"]');
  });

  it("warns of a role that the policy does not know, and writes nothing that is there already", async () => {
    await kv.put("same", '["globex","acme","acme"]');
    const same = await m2m(["grant", "same", "acme", "--yes"]);
    expect(same).toMatchObject({ exitCode: 0, stdout: "Nothing to change.\n" });
    expect(await kv.get("same")).toBe('["globex","acme","acme"]');
    const role = await m2m(["grant", "same", "acme", "--role", "boss"], { input: "" });
    expect(role.stdout).toContain("~ role: none -> boss");
    expect(role.stderr).toContain('same: role "boss" is not one of the policy (viewer, agent)');
  });

  it("says that it replaces a malformed document", async () => {
    await kv.put("broken", "{oops");
    const run = await m2m(["grant", "broken", "acme", "--yes"]);
    expect(run.stdout).toContain('! broken: malformed: "{oops"\n    + replaced by: acme');
    expect(run.stdout).toContain("1 malformed to replace");
    expect(run.exitCode).toBe(0);
    expect(await kv.get("broken")).toBe('{"tenants":["acme"]}');
  });

  it("takes tenants of 1 to 128 visible ASCII characters without comma, or *, and no others", async () => {
    for (const tenant of ["", "a,b", "a b", "ä", "x".repeat(129)]) {
      const run = await m2m(["grant", "client", tenant, "--yes"]);
      expect({ tenant, exitCode: run.exitCode }).toEqual({ tenant, exitCode: 2 });
      expect(run.stderr).toContain("can be no tenant");
    }
    for (const client of ["", "a b", "..", "x".repeat(129)])
      expect((await m2m(["grant", client, "acme", "--yes"])).exitCode).toBe(2);
    const fits = await m2m(["grant", "x".repeat(128), "x".repeat(128), "*"], { input: "" });
    expect(fits.stdout).toContain(`+ ${"x".repeat(128)}: *, ${"x".repeat(128)}`);
  });
});

describe("edge m2m revoke", { timeout: WRANGLER_TIMEOUT_MS }, () => {
  it("takes one tenant after a yes, and leaves an empty list rather than none", async () => {
    await kv.put("one", '{"tenants":["acme"],"role":"agent"}');
    const run = await m2m(["revoke", "one", "acme"], { onQuestion: async () => "y\n" });
    expect(run.stdout).toContain("~ one\n    - acme");
    expect(run.exitCode).toBe(0);
    expect(await kv.get("one")).toBe('{"tenants":[],"role":"agent"}');
  });

  it("removes the whole client where no tenant is named", async () => {
    await kv.put("whole", '["acme"]');
    const run = await m2m(["revoke", "whole", "--yes"]);
    expect(run.stdout).toContain("- whole: acme");
    expect(run.exitCode).toBe(0);
    expect(await kv.get("whole")).toBeNull();
    expect((await m2m(["revoke", "whole", "--yes"])).stdout).toBe("Nothing to change.\n");
  });

  it("refuses to take a tenant from what cannot be read, or from any tenant", async () => {
    await kv.put("unread", "acme");
    const unread = await m2m(["revoke", "unread", "acme", "--yes"]);
    expect(unread.stderr).toContain("The document of unread is malformed");
    expect(unread.exitCode).toBe(1);
    await kv.put("any", '["*"]');
    const any = await m2m(["revoke", "any", "acme", "--yes"]);
    expect(any.stderr).toContain('any may act for any tenant ("*")');
    expect(any.exitCode).toBe(1);
    expect(await kv.get("unread")).toBe("acme");
  });
});

describe("edge m2m list and show", { timeout: WRANGLER_TIMEOUT_MS }, () => {
  it("shows every state, a malformed document as such", async () => {
    for (const { name } of (await kv.list()).keys) await kv.delete(name);
    await kv.put("a", '{"tenants":["acme","globex"],"role":"agent"}');
    await kv.put("b", '{"tenants":["acme"],"disabled":true}');
    await kv.put("c", "[]");
    await kv.put("d", "");
    const run = await m2m(["list"]);
    expect(run.exitCode).toBe(0);
    expect(run.stdout.split("\n").map((line) => line.split(/ {2,}/))).toEqual([
      ["client_id", "tenants", "role", "state"],
      ["a", "acme, globex", "agent"],
      ["b", "acme", "disabled"],
      ["c", "no tenant", "empty"],
      ["d", "?", "malformed"],
      ["4 clients."],
      [""],
    ]);
    expect(run.stderr).toContain("d is malformed: the gateway answers it with 503");
    const show = await m2m(["show", "a", "--json"]);
    expect(parseJson(show.stdout)).toEqual({
      client_id: "a",
      tenants: ["acme", "globex"],
      role: "agent",
      disabled: false,
    });
    const nobody = await m2m(["show", "nobody"]);
    expect(nobody.stderr).toContain("npx edge m2m grant nobody TENANT");
    expect(nobody.exitCode).toBe(1);
  });
});
