import { describe, expect, it } from "vitest";
import { revocationKey, valueFault } from "../../src/cli/revocation-document.ts";
import { useKvProject } from "./kv-project.ts";
import { createProject, edge, parseJson, WRANGLER_TIMEOUT_MS, wranglerToml } from "./project.ts";

const LONGEST_TOKEN_SECONDS = 86_700;

// a run of wrangler takes seconds: the tests share them, and seed and look into KV themselves
const revocations = useKvProject("REVOCATIONS", { routes: [{ path: "/v1/*" }] });
const { run } = revocations;
const put = (key: string, text: string, options?: { metadata: unknown }) =>
  revocations.kv.put(key, text, options);
const get = (key: string) => revocations.kv.get(key);
const seconds = () => Math.floor(Date.now() / 1000);
const entryOf = async (key: string) => (await revocations.kv.list()).keys.find(({ name }) => name === key);

describe("edge revoke", { timeout: WRANGLER_TIMEOUT_MS }, () => {
  it("refuses a person's tokens from before now, for as long as one can live, in value and metadata", async () => {
    const from = seconds();
    const revoked = await run(["revoke", "sub", "ada", "--yes", "--json"]);
    expect(revoked.exitCode).toBe(0);
    const { metadata, expiration } = (await entryOf("sub:ada")) ?? {};
    const { before } = metadata as { before: number };
    expect(before).toBeGreaterThan(from); // a token of this very second is meant too
    expect(before).toBeLessThanOrEqual(seconds() + 1);
    expect(parseJson(String(await get("sub:ada")))).toEqual({ before });
    expect(expiration).toBeGreaterThanOrEqual(from + LONGEST_TOKEN_SECONDS);
    expect(expiration).toBeLessThanOrEqual(seconds() + LONGEST_TOKEN_SECONDS);
    expect(parseJson(revoked.stdout)).toMatchObject({
      ok: true,
      revoked: { key: "sub:ada", kind: "sub", value: "ada", before, expires: expiration },
    });
  });

  it("refuses all tokens of a sign-in, for 60 seconds and with the longest key, and warns of the short time", async () => {
    const from = seconds();
    const longest = "x".repeat(512 - "origin_jti:".length);
    const revoked = await run(["revoke", "origin-jti", longest, "--ttl", "60"], {
      onQuestion: async () => "y\n",
    });
    expect(revoked.stderr).toContain("one that outlives the entry is good again");
    expect(revoked.stderr).toContain("[y/N]");
    expect(revoked.exitCode).toBe(0);
    const { metadata, expiration } = (await entryOf(`origin_jti:${longest}`)) ?? {};
    expect(metadata).toEqual({});
    expect(expiration).toBeGreaterThanOrEqual(from + 60);
    expect(revoked.stdout).toMatch(/^\+ origin_jti:.*all tokens; kept until about 2/m);
    const end = new Date(Number(expiration) * 1000).toISOString().replace(".000", "");
    expect(revoked.stdout).toContain(`Revoked, and read back; kept until ${end}, `);
    expect(revoked.stdout).toContain("In force within 30 seconds."); // this machine's KV has no delay
  });

  it("refuses all tokens of a key, without an end", async () => {
    const kid = await run(["revoke", "kid", "key-1", "--yes"]);
    expect(kid.stdout).toContain("+ kid:key-1: all tokens; kept until never");
    const entry = await entryOf("kid:key-1");
    expect(entry?.metadata).toEqual({});
    expect(entry?.expiration).toBeUndefined();
    expect(await get("kid:key-1")).toBe("{}");
  });

  it("shows what is there, warns of a weaker entry, and changes nothing without a yes", async () => {
    await put("client:app", "{}", { metadata: {} });
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

  it("takes no TTL below 60 seconds, and names what is wrong with the rest", async () => {
    for (const [args, says] of [
      [["sub", "a", "--ttl", "59"], "60 or more"],
      [["sub", "a", "--ttl", "1h"], "60 or more"],
      [["kid", "a", "--ttl", "600"], "takes no --ttl"],
      [["sub", "a", "--before", "yesterday"], "--before is now, seconds since the epoch"],
      [["user", "a"], "KIND is one of jti, origin-jti, sub, client, tenant, kid."],
      [["tenant", "a,b"], "A tenant is 1 to 128 visible ASCII characters"],
    ] as const) {
      const refused = await run(["revoke", ...args, "--yes"]);
      expect({ args, exitCode: refused.exitCode }).toEqual({ args, exitCode: 2 });
      expect(refused.stderr).toContain(says);
    }
    expect(valueFault("jti", "")).toContain("VALUE must not be empty");
    expect(valueFault("jti", "x".repeat(508))).toBeUndefined();
    expect(Buffer.byteLength(revocationKey("jti", "x".repeat(508)))).toBe(512);
    expect(valueFault("jti", "x".repeat(509))).toContain("VALUE is too long");
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
    await revocations.clear();
    await put("jti:a:b", "", { metadata: {} });
    await put("sub:bare", '{"before":1700000000}');
    await put("tenant:acme", "soon");
    await put("user:x", "{}");
    const listed = await run(["revocations"]);
    expect(listed.exitCode).toBe(0);
    expect(listed.stdout).toMatch(/^kind +value +refuses +kept until\njti +a:b +all tokens +never\n/);
    expect(listed.stdout).toMatch(/^sub +bare +issued before 2023-11-14T22:13:20Z, \d+ days ago +never$/m);
    expect(listed.stdout).toMatch(/^tenant +acme +malformed +never$/m);
    expect(listed.stdout).toMatch(/^4 entries\.$/m);
    expect(listed.stderr).toContain("tenant:acme is malformed");
    expect(listed.stderr).toContain("user:x is of no kind that the gateway knows");

    const kept = await run(["unrevoke", "jti", "a:b"], { input: "n\n" });
    expect(kept.exitCode).toBe(1);
    expect(await entryOf("jti:a:b")).toBeDefined();
    const lifted = await run(["unrevoke", "jti", "a:b", "--yes", "--json"]);
    expect(parseJson(lifted.stdout)).toMatchObject({ ok: true, lifted: { key: "jti:a:b" } });
    expect(await entryOf("jti:a:b")).toBeUndefined();
    const absent = await run(["unrevoke", "jti", "a:b", "--yes"]);
    expect(absent.stdout).toContain("There is no entry jti:a:b: nothing to change.");
    expect(absent.exitCode).toBe(0);
  });
});
