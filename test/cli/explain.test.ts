import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startCognito, type TestServer } from "../support/servers.ts";
import {
  accessClaims,
  createSigningKey,
  idClaims,
  machineClaims,
  type SigningKey,
  sign,
} from "../support/tokens.ts";
import { NAMESPACE_IDS } from "./kv-project.ts";
import { type LocalKv, openLocalKv } from "./local-kv.ts";
import {
  createProject,
  edge,
  parseJson,
  type TestProject,
  WRANGLER_TIMEOUT_MS,
  wranglerToml,
} from "./project.ts";

const POLICY = {
  roles: ["viewer", "agent", "admin", "owner"],
  m2mScope: "zen/m2m",
  routes: [
    { path: "/v1/webchat/messages", methods: ["POST"], access: "public", cors: ["*"] },
    { path: "/v1/closed", access: "deny" },
    { path: "/v1/tenants/:tenantId/*", role: "admin", tenantParam: "tenantId" },
    { path: "/v1/people/*", callers: ["user"], tokenUse: ["id"], groups: ["staff"] },
    { path: "/v1/trial/*", role: "owner", mode: "report" },
    { path: "/v1/*" },
  ],
};

interface Explanation {
  readonly decision: string;
  readonly error?: string;
  readonly route?: string;
  readonly steps: readonly { number?: number; step: string; outcome: string; saw: string }[];
  readonly not_reached: readonly string[];
  readonly way_out?: { caller: string; operator: string };
  readonly upstream?: { url: string; identity: Record<string, string> };
}

let key: SigningKey;
let cognito: TestServer;
let project: TestProject;
let kvProject: TestProject;
let issuer: string;
const now = () => Math.floor(Date.now() / 1000);

beforeAll(async () => {
  key = await createSigningKey("key-1");
  cognito = await startCognito(() => [key.jwk]);
  issuer = `${cognito.url}/us-east-2_Ab12Cd34E`;
  const pool = `USER_POOLS = [{ id = "us-east-2_Ab12Cd34E", client_ids = ["app-client"], issuers = [{ issuer = "${issuer}", jwks_url = "${issuer}/jwks.json" }] }]`;
  const toml = wranglerToml(pool);
  // each look into KV is a run of wrangler: only the test about revocations has them bound
  project = await createProject(
    toml.replace(/\[\[env\.dev\.kv_namespaces]]\nbinding = "REVOCATIONS"\nid = .*\n/, ""),
    POLICY,
  );
  kvProject = await createProject(toml, POLICY);
});

beforeEach(() => {
  cognito.received.length = 0;
});

afterAll(async () => {
  await Promise.all([cognito.close(), project.remove(), kvProject.remove()]);
});

const run = (args: readonly string[], input?: string, { folder } = project) =>
  edge(["explain", "--env", "dev", ...args], { cwd: folder, ...(input !== undefined && { input }) });

async function explain(args: readonly string[], token?: string, of = project) {
  const withToken = token === undefined ? [] : ["--token-file", "-"];
  const { exitCode, stdout, stderr } = await run(["--json", ...args, ...withToken], token, of);
  expect(stderr).not.toContain("    at "); // no stack
  const explanation = parseJson(stdout) as unknown as Explanation;
  const step = (name: string) => explanation.steps.find((each) => each.step === name);
  return { exitCode, explanation, step, stdout };
}

const get = (path: string) => ["--method", "GET", "--path", path];

describe("edge explain, a request that passes", () => {
  it("prints every step of a person's request in its order, and who the API is told is calling", async () => {
    const token = await sign(key, idClaims(issuer, now()));
    const { exitCode, explanation, stdout } = await explain(get("/v1/tenants/acme/users?x=1"), token);
    expect(exitCode).toBe(0);
    expect(explanation.decision).toBe("forward");
    expect(explanation.steps.map(({ number, step }) => [number, step])).toEqual([
      [1, "strip_identity"],
      [2, "path"],
      [4, "route"],
      [6, "token_present"],
      [7, "well_formed"],
      [8, "signature"],
      [9, "time"],
      [10, "token_use"],
      [11, "audience"],
      [12, "revocation"],
      [13, "caller"],
      [14, "tenant"],
      [15, "role"],
      [15, "scopes"],
      [15, "groups"],
      [16, "tenant_rate_limit"],
      [17, "forward"],
    ]);
    expect(explanation.upstream?.url).toBe(
      "https://abc.execute-api.us-east-2.amazonaws.com/v1/tenants/acme/users?x=1",
    );
    expect(explanation.upstream?.identity).toMatchObject({
      "x-auth-caller": "user",
      "x-auth-tenant-id": "acme",
      "x-auth-role": "admin",
    });
    expect(stdout).not.toContain(token.slice(-40));
  });

  it("says what each step saw, in text", async () => {
    const token = await sign(key, idClaims(issuer, now()));
    const { stdout, exitCode } = await run([...get("/v1/tenants/acme/users"), "--token-file", "-"], token);
    expect(stdout).toMatch(/^ 4 {2}route +passed +routes\.2 \/v1\/tenants\/:tenantId\/\*, authenticated$/m);
    expect(stdout).toMatch(
      /^ 8 {2}signature +passed +RS256 by key key-1 of http:\/\/127\.0\.0\.1:\d+\/us-east-2_Ab12Cd34E$/m,
    );
    expect(stdout).toMatch(/^14 {2}tenant +passed +claim acme; no x-tenant-id; the path names acme$/m);
    expect(stdout).toMatch(
      /^15 {2}role +passed +admin; the route needs admin of viewer < agent < admin < owner$/m,
    );
    expect(stdout).toMatch(/^Forwarded\.$/m);
    expect(exitCode).toBe(0);
  });

  it("asks the pool for its keys once, and not where a file has them", async () => {
    const token = await sign(key, idClaims(issuer, now()));
    await explain(get("/v1/x"), token);
    expect(cognito.received.map(({ target }) => target)).toEqual(["/us-east-2_Ab12Cd34E/jwks.json"]);
    cognito.received.length = 0;
    const file = await project.write("jwks.json", JSON.stringify({ keys: [key.jwk] }));
    const { exitCode } = await explain([...get("/v1/x"), "--jwks-file", file], token);
    expect({ exitCode, received: cognito.received }).toEqual({ exitCode: 0, received: [] });
  });

  it("names the headers of the caller that are dropped or replaced", async () => {
    const token = await sign(key, idClaims(issuer, now()));
    const { explanation, step } = await explain(
      [...get("/v1/x"), "--tenant", "acme", "--header", "x-auth-role: owner", "--header", "x-trace: 1"],
      token,
    );
    expect(step("strip_identity")?.saw).toBe("dropped or replaced: x-auth-role");
    expect(explanation.upstream?.identity["x-auth-role"]).toBe("admin");
  });

  it("takes a public route's request without looking at its token", async () => {
    const { exitCode, explanation } = await explain(
      ["--method", "post", "--path", "/v1/webchat/messages"],
      "not-a-token",
    );
    expect(exitCode).toBe(0);
    expect(explanation.steps.map(({ step }) => step)).toEqual([
      "strip_identity",
      "path",
      "route",
      "public_rate_limit",
      "forward",
    ]);
  });

  it("answers a preflight and says whether the page may read", async () => {
    const { exitCode, explanation, step } = await explain([
      "--method",
      "OPTIONS",
      "--path",
      "/v1/x",
      "--header",
      "origin: https://elsewhere.example",
      "--header",
      "access-control-request-method: GET",
    ]);
    expect({ exitCode, decision: explanation.decision }).toEqual({ exitCode: 0, decision: "answer" });
    expect(step("preflight")?.saw).toContain("is not among the allowed origins");
  });

  it("says what report mode forwards and would refuse", async () => {
    const token = await sign(key, idClaims(issuer, now()));
    const { exitCode, explanation, step } = await explain(get("/v1/trial/x"), token);
    expect({ exitCode, decision: explanation.decision, error: explanation.error }).toEqual({
      exitCode: 0,
      decision: "report",
      error: "insufficient_role",
    });
    expect(step("role")?.outcome).toBe("would refuse");
    expect(explanation.upstream?.identity).toEqual({});
  });

  it("takes either token of what edge token login has saved", async () => {
    const set = {
      domain: "https://auth.example.com",
      client_id: "app-client",
      id_token: await sign(key, idClaims(issuer, now())),
      access_token: await sign(key, accessClaims(issuer, now())),
    };
    const file = await project.write("tokens.json", JSON.stringify(set));
    const id = await explain([...get("/v1/x"), "--token-file", file]);
    expect(id.explanation.decision).toBe("forward");
    const access = await explain([...get("/v1/x"), "--token-file", file, "--use", "access"]);
    expect(access.explanation.error).toBe("missing_tenant_claim");
  });
});

describe("edge explain, a refusal", () => {
  const cases: readonly [
    string,
    () => Promise<string> | undefined,
    readonly string[],
    string,
    string,
    RegExp,
  ][] = [
    ["no token", () => undefined, get("/v1/x"), "missing_token", "token_present", /no Authorization header/],
    [
      "no JWT",
      async () => "abc",
      get("/v1/x"),
      "malformed_token",
      "well_formed",
      /1 segments; a signed JWT has three/,
    ],
    [
      "another pool's token",
      () => sign(key, idClaims("https://elsewhere.example", now())),
      get("/v1/x"),
      "invalid_signature",
      "signature",
      /iss https:\/\/elsewhere\.example is not one of ours: http/,
    ],
    [
      "an unknown kid",
      () => sign(key, idClaims(issuer, now()), { kid: "key-2" }),
      get("/v1/x"),
      "invalid_signature",
      "signature",
      /kid key-2 is not in http.*, which has key-1/,
    ],
    [
      "a changed token",
      async () => (await sign(key, idClaims(issuer, now()))).replace(/.{20}$/, "AAAAAAAAAAAAAAAAAAAA"),
      get("/v1/x"),
      "invalid_signature",
      "signature",
      /does not hold under key key-1/,
    ],
    [
      "a token without sub",
      () => sign(key, idClaims(issuer, now(), { sub: undefined })),
      get("/v1/x"),
      "invalid_claims",
      "signature",
      /the signature holds, but sub is missing or of the wrong type/,
    ],
    [
      "an expired token",
      () => sign(key, idClaims(issuer, now() - 7200)),
      get("/v1/x"),
      "token_expired",
      "time",
      /exp .*Z, 60 min ago; tolerances 0 s and 30 s/,
    ],
    [
      "another app client's token",
      () => sign(key, idClaims(issuer, now(), { aud: "other-client" })),
      get("/v1/x"),
      "invalid_audience",
      "audience",
      /aud other-client; client_ids of us-east-2_Ab12Cd34E: app-client/,
    ],
    [
      "an access token where an ID token is wanted",
      () => sign(key, accessClaims(issuer, now())),
      get("/v1/people/x"),
      "invalid_token_use",
      "token_use",
      /access; the route takes id/,
    ],
    [
      "another tenant's path",
      () => sign(key, idClaims(issuer, now())),
      get("/v1/tenants/globex/users"),
      "tenant_mismatch",
      "tenant",
      /claim acme; no x-tenant-id; the path names globex/,
    ],
    [
      "too low a role",
      () => sign(key, idClaims(issuer, now(), { "custom:role": "agent" })),
      get("/v1/tenants/acme/users"),
      "insufficient_role",
      "role",
      /agent; the route needs admin of/,
    ],
    [
      "no group",
      () => sign(key, idClaims(issuer, now())),
      get("/v1/people/x"),
      "insufficient_group",
      "groups",
      /none; the route needs one of staff/,
    ],
    [
      "a closed route",
      () => undefined,
      get("/v1/closed"),
      "route_denied",
      "route",
      /routes\.1 \/v1\/closed, deny/,
    ],
    [
      "a path with two meanings",
      () => undefined,
      get("/v1//x"),
      "invalid_path",
      "path",
      /\/v1\/\/x is not a path/,
    ],
    [
      "a method that no route takes",
      () => undefined,
      ["--method", "TRACE", "--path", "/v1/x"],
      "method_not_allowed",
      "method",
      /TRACE/,
    ],
  ];

  it.each(cases)(
    "%s: names the step, what it saw and the way out",
    async (_name, token, args, error, at, saw) => {
      const { exitCode, explanation, step } = await explain(args, await token());
      expect({ exitCode, decision: explanation.decision, error: explanation.error }).toEqual({
        exitCode: 1,
        decision: "refuse",
        error,
      });
      expect(step(at)?.outcome).toBe("refused");
      expect(step(at)?.saw).toMatch(saw);
      expect(explanation.steps.at(-1)?.step).toBe(at);
      expect(explanation.way_out?.caller).not.toBe("");
      expect(explanation.way_out?.operator).not.toBe("");
    },
  );

  it("keeps control characters of a token away from the terminal", async () => {
    const token = await sign(key, idClaims("https://x\u001b[2J\u202e", now()));
    const { stdout } = await run([...get("/v1/x"), "--token-file", "-"], token);
    expect(stdout).toContain("https://x\\u{001b}[2J\\u{202e}");
  });

  it("says that the keys cannot be had, where the pool does not answer", async () => {
    const dead = await startCognito(() => []);
    await dead.close();
    const pool = `USER_POOLS = [{ id = "us-east-2_Ab12Cd34E", client_ids = [], issuers = [{ issuer = "${dead.url}", jwks_url = "${dead.url}/jwks" }] }]`;
    const other = await createProject(wranglerToml(pool), POLICY);
    const token = await sign(key, idClaims(dead.url, now()));
    const result = await edge(["explain", "--json", ...get("/v1/x"), "--token-file", "-"], {
      cwd: other.folder,
      input: token,
    });
    await other.remove();
    const explanation = parseJson(result.stdout) as unknown as Explanation;
    expect(explanation.error).toBe("jwks_unavailable");
    expect(explanation.steps.at(-1)?.saw).toMatch(/\/jwks: connect ECONNREFUSED/);
  });

  it("lists the faults of a configuration that forwards nothing", async () => {
    const other = await createProject(wranglerToml("USER_POOLS = []"), POLICY);
    const result = await edge(["explain", ...get("/v1/x")], { cwd: other.folder });
    await other.remove();
    expect(result.stderr).toMatch(/500 misconfigured:\nUSER_POOLS: must name at least one user pool/);
    expect(result.exitCode).toBe(1);
  });
});

describe("edge explain, a machine and KV", { timeout: WRANGLER_TIMEOUT_MS }, () => {
  let allowLists: LocalKv;
  let revocations: LocalKv;
  let close: () => Promise<unknown>;

  beforeAll(async () => {
    const [lists, entries] = await Promise.all([
      openLocalKv(project, [NAMESPACE_IDS.M2M_TENANTS]),
      openLocalKv(kvProject, [NAMESPACE_IDS.REVOCATIONS]),
    ]);
    [allowLists] = lists.namespaces as [LocalKv];
    [revocations] = entries.namespaces as [LocalKv];
    close = () => Promise.all([lists.close(), entries.close()]);
  });
  afterAll(() => close());

  it("reads the machine's allow-list from KV, and names the command that grants", async () => {
    await allowLists.put("machine-1", '{"tenants":["acme"],"role":"agent"}');
    const token = await sign(key, machineClaims(issuer, now()));
    const passed = await explain([...get("/v1/x"), "--tenant", "acme"], token);
    expect(passed.explanation.decision).toBe("forward");
    expect(passed.explanation.upstream?.identity).toMatchObject({
      "x-auth-caller": "m2m",
      "x-auth-role": "agent",
    });
    const refused = await explain([...get("/v1/x"), "--tenant", "globex"], token);
    expect(refused.explanation.error).toBe("tenant_not_allowed");
    expect(refused.step("tenant")?.saw).toBe("x-tenant-id globex; allow-list: acme");
    expect(refused.explanation.way_out?.operator).toBe(
      "npx edge m2m grant machine-1 globex --env dev --local",
    );
  });

  it("reads the allow-list from a file where one is named", async () => {
    const file = await project.write("list.json", '["globex"]');
    const token = await sign(key, machineClaims(issuer, now(), { sub: "machine-2", client_id: "machine-2" }));
    const { explanation } = await explain(
      [...get("/v1/x"), "--tenant", "globex", "--allow-list-file", file],
      token,
    );
    expect(explanation.decision).toBe("forward");
  });

  it("says that a machine has no allow-list, and that a list is malformed", async () => {
    const token = (id: string) => sign(key, machineClaims(issuer, now(), { sub: id, client_id: id }));
    const none = await explain([...get("/v1/x"), "--tenant", "acme"], await token("-unknown"));
    expect(none.step("tenant")?.saw).toBe("x-tenant-id acme; it has no allow-list, or a disabled one");
    await allowLists.put("machine-3", "acme");
    const malformed = await explain([...get("/v1/x"), "--tenant", "acme"], await token("machine-3"));
    expect(malformed.explanation.error).toBe("allowlist_unavailable");
    expect(malformed.step("tenant")?.saw).toBe("x-tenant-id acme; its allow-list is malformed");
  });

  it("names the entry that revokes a token, from its metadata or its value", async () => {
    const of = async (sub: string) =>
      explain(get("/v1/x"), await sign(key, idClaims(issuer, now(), { sub })), kvProject);
    await revocations.put("sub:with-metadata", "", { metadata: { before: now() + 60 } });
    const metadata = await of("with-metadata");
    expect(metadata.explanation.error).toBe("token_revoked");
    expect(metadata.step("revocation")?.saw).toContain("sub:with-metadata");
    await revocations.put("sub:with-value", "{}");
    const value = await of("with-value");
    expect(value.explanation.error).toBe("token_revoked");
    expect(value.step("revocation")?.saw).toContain("sub:with-value");
    const live = await of("somebody-else");
    expect(live.step("revocation")?.saw).toBe("2 entries, none of them names this token");
  });
});

describe("edge explain, bad usage", () => {
  it("refuses an environment that does not exist, and names those that do", async () => {
    const result = await edge(["explain", "--env", "prod", ...get("/v1/x")], { cwd: project.folder });
    expect(result.stderr).toContain("There is no environment prod: dev.");
    expect(result.exitCode).toBe(2);
  });

  it("refuses a path without its slash, and a token file that is not there", async () => {
    expect((await run(get("v1/x"))).exitCode).toBe(2);
    const missing = await run([...get("/v1/x"), "--token-file", "nowhere.txt"]);
    expect(missing.stderr).toContain("nowhere.txt cannot be read (ENOENT).");
    expect(missing.exitCode).toBe(2);
  });
});
