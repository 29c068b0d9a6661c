import { describe, expect, it } from "vitest";
import { isClientId, isTenantEntry } from "../../src/cli/m2m-document.ts";
import { useKvProject } from "./kv-project.ts";
import { parseJson, type RunOptions, WRANGLER_TIMEOUT_MS } from "./project.ts";

// a run of wrangler takes seconds: the tests share them, and seed and look into KV themselves
const allowLists = useKvProject("M2M_TENANTS", {
  roles: ["viewer", "agent"],
  m2mScope: "zen/m2m",
  routes: [{ path: "/v1/*" }],
});
const { stored } = allowLists;
const put = (client: string, text: string) => allowLists.kv.put(client, text);
const get = (client: string) => allowLists.kv.get(client);
const m2m = (args: readonly string[], options?: RunOptions) => allowLists.run(["m2m", ...args], options);

describe("edge m2m grant", { timeout: WRANGLER_TIMEOUT_MS }, () => {
  it("adds tenants, keeps role and disabled, and prints JSON alone with --json", async () => {
    await put("keeps", '{"tenants":["globex"],"role":"agent","disabled":true}');
    const run = await m2m(["grant", "keeps", "acme", "globex", "--yes", "--json"]);
    expect(run.exitCode).toBe(0);
    expect(parseJson(await get("keeps").then(String))).toEqual({
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

  it("asks, and changes nothing for another answer than yes; warns of a role that the policy does not know", async () => {
    await put("asks", '["acme"]');
    const run = await m2m(["grant", "asks", "globex", "--role", "boss"], { input: "n\n" });
    expect(run.stdout).toContain(
      "~ asks\n    + globex\n    ~ role: none -> boss\nPlan: 0 to add, 1 to change",
    );
    expect(run.stderr).toContain('asks: role "boss" is not one of the policy (viewer, agent)');
    expect(run.stderr).toContain("Make this change? [y/N]");
    expect(run.stderr).toContain("error: Nothing was changed");
    expect(run.exitCode).toBe(1);
    expect(await get("asks")).toBe('["acme"]');
  });

  it("changes nothing where nobody answers; takes a client and a tenant of 128 characters", async () => {
    const longest = "x".repeat(128);
    const before = await stored();
    const run = await m2m(["grant", longest, longest, "*"], { input: "" });
    expect(run.stdout).toContain(`+ ${longest}: *, ${longest}`);
    expect(run.stderr).toContain("error: Nothing was changed: nobody has answered.");
    expect(run.exitCode).toBe(1);
    expect(await stored()).toEqual(before);
  });

  it("replaces a malformed document; refuses where somebody else has written since, and shows both sides", async () => {
    await put("raced", "{oops");
    const run = await m2m(["grant", "raced", "globex"], {
      async onQuestion() {
        await put("raced", '["initech"]');
        return "y\n";
      },
    });
    expect(run.stdout).toContain('! raced: malformed: "{oops"\n    + replaced by: globex');
    expect(run.stdout).toContain("1 malformed to replace");
    expect(run.stderr).toContain('raced\n  the plan saw: malformed: "{oops"\n  KV holds now: initech');
    expect(run.exitCode).toBe(1);
    expect(await get("raced")).toBe('["initech"]');
  });

  it("writes nothing that is there already", async () => {
    await put("same", '["globex","acme","acme"]');
    const same = await m2m(["grant", "same", "acme", "--yes"]);
    expect(same).toMatchObject({ exitCode: 0, stdout: "Nothing to change.\n" });
    expect(await get("same")).toBe('["globex","acme","acme"]');
  });

  it("takes tenants of 1 to 128 visible ASCII characters without comma, or *, and no others", async () => {
    for (const tenant of ["a", "x".repeat(128), "*"])
      expect([tenant, isTenantEntry(tenant)]).toEqual([tenant, true]);
    for (const tenant of ["", "a,b", "a b", "ä", "x".repeat(129)])
      expect([tenant, isTenantEntry(tenant)]).toEqual([tenant, false]);
    for (const client of ["a", "x".repeat(128)]) expect([client, isClientId(client)]).toEqual([client, true]);
    for (const client of ["", "a b", "..", "x".repeat(129)])
      expect([client, isClientId(client)]).toEqual([client, false]);
    const tenant = await m2m(["grant", "client", "acme", "a,b", "--yes"]);
    expect(tenant.stderr).toContain('"a,b" can be no tenant');
    expect(tenant.exitCode).toBe(2);
    const client = await m2m(["grant", "..", "acme", "--yes"]);
    expect(client.stderr).toContain("CLIENT is an app client id");
    expect(client.exitCode).toBe(2);
  });
});

describe("edge m2m revoke", { timeout: WRANGLER_TIMEOUT_MS }, () => {
  it("removes the whole client after a yes where no tenant is named", async () => {
    await put("whole", '["acme"]');
    const run = await m2m(["revoke", "whole"], { onQuestion: async () => "y\n" });
    expect(run.stdout).toContain("- whole: acme");
    expect(run.exitCode).toBe(0);
    expect(await get("whole")).toBeNull();
    expect((await m2m(["revoke", "whole", "--yes"])).stdout).toBe("Nothing to change.\n");
  });

  it("refuses to take a tenant from what cannot be read, or from any tenant", async () => {
    await put("unread", "acme");
    const unread = await m2m(["revoke", "unread", "acme", "--yes"]);
    expect(unread.stderr).toContain("The document of unread is malformed");
    expect(unread.exitCode).toBe(1);
    await put("any", '["*"]');
    const any = await m2m(["revoke", "any", "acme", "--yes"]);
    expect(any.stderr).toContain('any may act for any tenant ("*")');
    expect(any.exitCode).toBe(1);
    expect(await get("unread")).toBe("acme");
  });
});

describe("edge m2m list and show", { timeout: WRANGLER_TIMEOUT_MS }, () => {
  it("shows every state, a malformed document as such", async () => {
    await allowLists.clear();
    await put("a", '{"tenants":["acme","globex"],"role":"agent"}');
    await put("b", '{"tenants":["acme"],"disabled":true}');
    await put("c", "[]");
    await put("d", "");
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
    expect(nobody.stderr).toContain("npx edge m2m grant nobody TENANT --env dev --local");
    expect(nobody.exitCode).toBe(1);
  });
});
