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

const LONGEST_TOKEN_SECONDS = 86_700;

let project: TestProject;
let kv: LocalKv;
let close: () => Promise<void>;

beforeAll(async () => {
  project = await createProject(wranglerToml(), { routes: [{ path: "/v1/*" }] });
  const opened = await openLocalKv(project, ["33333333333333333333333333333333"]);
  [kv] = opened.namespaces as [LocalKv];
  close = opened.close;
});
afterAll(async () => {
  await close();
  await project.remove();
});

const run = (args: readonly string[], options: RunOptions = {}) =>
  edge(args, { cwd: project.folder, ...options });
const seconds = () => Math.floor(Date.now() / 1000);
const entryOf = async (key: string) => (await kv.list()).keys.find(({ name }) => name === key);

describe("edge revoke", { timeout: WRANGLER_TIMEOUT_MS }, () => {
  it("refuses a person's tokens from before now, for as long as one can live, in value and metadata", async () => {
    const from = seconds();
    const revoked = await run(["revoke", "sub", "ada", "--yes", "--json"]);
    expect(revoked.exitCode).toBe(0);
    const { metadata, expiration } = (await entryOf("sub:ada")) ?? {};
    const { before } = metadata as { before: number };
    expect(before).toBeGreaterThan(from); // a token of this very second is meant too
    expect(before).toBeLessThanOrEqual(seconds() + 1);
    expect(parseJson(String(await kv.get("sub:ada")))).toEqual({ before });
    expect(expiration).toBeGreaterThanOrEqual(from + LONGEST_TOKEN_SECONDS);
    expect(expiration).toBeLessThanOrEqual(seconds() + LONGEST_TOKEN_SECONDS);
    expect(parseJson(revoked.stdout)).toMatchObject({
      ok: true,
      revoked: { key: "sub:ada", kind: "sub", value: "ada", before, expires: expiration },
    });
  });

  it("refuses all tokens of a sign-in, and of a key without an end", async () => {
    await run(["revoke", "origin-jti", "session-1", "--ttl", "60", "--yes"]);
    expect(await entryOf("origin_jti:session-1")).toMatchObject({
      metadata: {},
      expiration: expect.any(Number),
    });
    const kid = await run(["revoke", "kid", "key-1", "--yes"]);
    expect(kid.stdout).toContain("+ kid:key-1: all tokens; kept until never");
    const entry = await entryOf("kid:key-1");
    expect(entry?.metadata).toEqual({});
    expect(entry?.expiration).toBeUndefined();
    expect(await kv.get("kid:key-1")).toBe("{}");
  });

  it("shows what is there, warns of a weaker entry, and changes nothing without a yes", async () => {
    await kv.put("client:app", "{}", { metadata: {} });
    const asked = await run(["revoke", "client", "app", "--before", "2026-11-24T08:00:00Z"], {
      input: "no\n",
    });
    expect(asked.stdout).toMatch(
      /^- client:app: all tokens; kept until never\n\+ client:app: issued before 2026-11-24T08:00:00Z,/,
    );
    expect(asked.stderr).toContain("lets tokens in again");
    expect(asked.exitCode).toBe(1);
    expect((await entryOf("client:app"))?.metadata).toEqual({});
  });

  it("takes a TTL of 60 seconds, and none below; and names what is wrong with the rest", async () => {
    for (const [args, says] of [
      [["sub", "a", "--ttl", "59"], "60 or more"],
      [["sub", "a", "--ttl", "1h"], "60 or more"],
      [["kid", "a", "--ttl", "600"], "takes no --ttl"],
      [["sub", "a", "--before", "yesterday"], "--before is now, seconds since the epoch"],
      [["user", "a"], "KIND is one of jti, origin-jti, sub, client, tenant, kid."],
      [["tenant", "a,b"], "A tenant is 1 to 128 visible ASCII characters"],
      [["jti", ""], "VALUE must not be empty"],
      [["jti", "x".repeat(509)], "VALUE is too long"],
    ] as const) {
      const refused = await run(["revoke", ...args, "--yes"]);
      expect({ args, exitCode: refused.exitCode }).toEqual({ args, exitCode: 2 });
      expect(refused.stderr).toContain(says);
    }
    const least = await run(["revoke", "jti", "x".repeat(508), "--ttl", "60"], { input: "" });
    expect(least.stderr).toContain("one that outlives the entry is good again");
    expect(least.stderr).toContain("[y/N]");
  });

  it("says what to do where revocations are not bound", async () => {
    const toml = wranglerToml().replace(
      /\[\[env\.dev\.kv_namespaces]]\nbinding = "REVOCATIONS"\nid = .*\n/,
      "",
    );
    const bare = await createProject(toml, { routes: [{ path: "/v1/*" }] });
    const refused = await edge(["revocations"], { cwd: bare.folder });
    await bare.remove();
    expect(refused.stderr).toContain(
      "REVOCATIONS is not bound in environment dev: add it to its kv_namespaces",
    );
    expect(refused.exitCode).toBe(1);
  });
});

describe("edge revocations and unrevoke", { timeout: WRANGLER_TIMEOUT_MS }, () => {
  it("lists what refuses whom, with values where there is no metadata, and what the gateway cannot read", async () => {
    for (const { name } of (await kv.list()).keys) await kv.delete(name);
    await kv.put("jti:a:b", "", { metadata: {} });
    await kv.put("sub:bare", '{"before":1700000000}');
    await kv.put("tenant:acme", "soon");
    await kv.put("user:x", "{}");
    const listed = await run(["revocations"]);
    expect(listed.exitCode).toBe(0);
    expect(listed.stdout).toMatch(/^kind +value +refuses +kept until\njti +a:b +all tokens +never\n/);
    expect(listed.stdout).toMatch(/^sub +bare +issued before 2023-11-14T22:13:20Z, \d+ days ago +never$/m);
    expect(listed.stdout).toMatch(/^tenant +acme +malformed +never$/m);
    expect(listed.stderr).toContain("tenant:acme is malformed");
    expect(listed.stderr).toContain("user:x is of no kind that the gateway knows");

    const lifted = await run(["unrevoke", "jti", "a:b", "--yes", "--json"]);
    expect(parseJson(lifted.stdout)).toMatchObject({ ok: true, lifted: { key: "jti:a:b" } });
    expect(await entryOf("jti:a:b")).toBeUndefined();
    const absent = await run(["unrevoke", "jti", "a:b", "--yes"]);
    expect(absent.stdout).toContain("There is no entry jti:a:b: nothing to change.");
    expect(absent.exitCode).toBe(0);
    const kept = await run(["unrevoke", "tenant", "acme"], { input: "n\n" });
    expect(kept.exitCode).toBe(1);
    expect(await kv.get("tenant:acme")).toBe("soon");
  });
});
