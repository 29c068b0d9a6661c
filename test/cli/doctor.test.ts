import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createProject, edge, parseJson, type TestProject, wranglerToml } from "./project.ts";

interface Diagnosis {
  readonly level: string;
  readonly where: string;
  readonly what: string;
  readonly mend: string;
}

const POOL_ID = "us-east-2_Ab12Cd34E";

/** A pool and its client of which nothing can be said. */
const pool = (overrides: Record<string, unknown> = {}) => ({
  UserPool: {
    Id: POOL_ID,
    Name: "people",
    SchemaAttributes: [
      { Name: "email", AttributeDataType: "String", Mutable: true },
      { Name: "custom:tenant_id", AttributeDataType: "String", Mutable: false },
      { Name: "custom:role", AttributeDataType: "String", Mutable: false },
    ],
    AdminCreateUserConfig: { AllowAdminCreateUserOnly: true },
    ...overrides,
  },
});

const client = (overrides: Record<string, unknown> = {}) => ({
  UserPoolClient: {
    UserPoolId: POOL_ID,
    ClientName: "web",
    ClientId: "app-client",
    ReadAttributes: ["email", "custom:tenant_id", "custom:role"],
    WriteAttributes: ["email"],
    AllowedOAuthFlows: ["code"],
    AllowedOAuthScopes: ["openid"],
    AllowedOAuthFlowsUserPoolClient: true,
    EnableTokenRevocation: true,
    AccessTokenValidity: 60,
    IdTokenValidity: 60,
    TokenValidityUnits: { AccessToken: "minutes", IdToken: "minutes", RefreshToken: "days" },
    ...overrides,
  },
});

const mutable = (name: string) => [
  { Name: "custom:tenant_id", Mutable: name === "custom:tenant_id" },
  { Name: "custom:role", Mutable: name === "custom:role" },
];

let project: TestProject;

beforeAll(async () => {
  project = await createProject(wranglerToml(), { roles: ["viewer"], routes: [{ path: "/v1/*" }] });
});
afterAll(() => project.remove());

async function doctor(documents: readonly unknown[], args: readonly string[] = [], cwd = project.folder) {
  const files: string[] = [];
  for (const [index, document] of documents.entries())
    files.push(await project.write(`input-${index}.json`, JSON.stringify(document)));
  const run = await edge(["--json", "doctor", ...files, ...args], { cwd });
  const { findings } = parseJson(run.stdout) as unknown as { findings: Diagnosis[] };
  const errors = findings.filter(({ level }) => level === "error");
  return { exitCode: run.exitCode, findings, errors, stdout: run.stdout };
}

describe("edge doctor", () => {
  it("finds nothing in a pool and a client that are as they should be", async () => {
    const { exitCode, findings } = await doctor([pool(), client()]);
    expect({ exitCode, findings }).toEqual({ exitCode: 0, findings: [] });
  });

  const faults: readonly [string, readonly unknown[], string, RegExp, RegExp][] = [
    [
      "a client that may write the tenant",
      [client({ WriteAttributes: ["email", "custom:tenant_id"] })],
      "client web (app-client)",
      /may write custom:tenant_id/,
      /\.WriteAttributes -= \["custom:tenant_id"\].*aws cognito-idp update-user-pool-client --cli-input-json/,
    ],
    [
      "a client that may write the role",
      [pool(), client({ WriteAttributes: ["custom:role"] })],
      "client web (app-client)",
      /may write custom:role, so its users can give themselves any tenant or role/,
      // into another file: a shell empties one that a command reads from
      /\.WriteAttributes -= \["custom:role"\]' (\S+)\.json > \1\.mended\.json && .* file:\/\/\1\.mended\.json$/,
    ],
    [
      "a client without a list of what it may write",
      [client({ WriteAttributes: undefined })],
      "client web (app-client)",
      /WriteAttributes is not set/,
      /\.WriteAttributes = \["email"\]/,
    ],
    [
      "a mutable tenant of which no client shows that it may not write it",
      [pool({ SchemaAttributes: mutable("custom:tenant_id") })],
      `pool ${POOL_ID}`,
      /custom:tenant_id is mutable, and no description/,
      /aws cognito-idp list-user-pool-clients --user-pool-id us-east-2_Ab12Cd34E/,
    ],
    [
      "a pool without the tenant attribute",
      [pool({ SchemaAttributes: [{ Name: "custom:role", Mutable: false }] }), client()],
      `pool ${POOL_ID}`,
      /no attribute custom:tenant_id, so its users are answered with missing_tenant_claim/,
      /add-custom-attributes .*Name=tenant_id,AttributeDataType=String,Mutable=false/,
    ],
    [
      "the implicit grant",
      [client({ AllowedOAuthFlows: ["code", "implicit"] })],
      "client web (app-client)",
      /allows the implicit grant/,
      /\.AllowedOAuthFlows - \["implicit"\]/,
    ],
    [
      "client_credentials without a secret",
      [client({ AllowedOAuthFlows: ["client_credentials"] })],
      "client web (app-client)",
      /client_credentials and has no secret/,
      /create-user-pool-client .*--generate-secret/,
    ],
    [
      "an access token that outlives a revocation",
      [client({ AccessTokenValidity: 25, TokenValidityUnits: { AccessToken: "hours" }, IdTokenValidity: 1 })],
      "client web (app-client)",
      /AccessTokenValidity is 25 h, longer than the 24 h/,
      /\.AccessTokenValidity = 60 \| \.TokenValidityUnits\.AccessToken = "minutes"/,
    ],
    [
      "revocation switched off",
      [client({ EnableTokenRevocation: false })],
      "client web (app-client)",
      /EnableTokenRevocation is off/,
      /\.EnableTokenRevocation = true/,
    ],
  ];

  it.each(faults)(
    "fails on %s, with the command that mends it",
    async (_name, documents, where, what, mend) => {
      const { exitCode, errors } = await doctor(documents);
      expect(exitCode).toBe(1);
      expect(errors).toHaveLength(1);
      expect(errors[0]?.where).toBe(where);
      expect(errors[0]?.what).toMatch(what);
      expect(errors[0]?.mend).toMatch(mend);
    },
  );

  it("warns only of a mutable tenant that none of the pool's clients may write", async () => {
    const { exitCode, findings } = await doctor([
      pool({ SchemaAttributes: mutable("custom:tenant_id") }),
      client(),
    ]);
    expect(exitCode).toBe(0);
    expect(findings.map(({ level, what }) => [level, what.slice(0, 38)])).toEqual([
      ["warning", "attribute custom:tenant_id is mutable;"],
    ]);
  });

  it("takes both forms of issuer, unless the configuration lists others", async () => {
    const updated = pool({ IssuerConfiguration: { Type: "UPDATED" } });
    expect((await doctor([updated, client()])).exitCode).toBe(0);
    const original = `https://cognito-idp.us-east-2.amazonaws.com/${POOL_ID}`;
    const other = await createProject(
      wranglerToml(
        `USER_POOLS = [{ id = "${POOL_ID}", client_ids = ["app-client"], issuers = [{ issuer = "${original}", jwks_url = "${original}/.well-known/jwks.json" }] }]`,
      ),
      { routes: [{ path: "/v1/*" }] },
    );
    const { exitCode, errors } = await doctor([updated, client()], [], other.folder);
    const same = await doctor(
      [pool({ IssuerConfiguration: { Type: "ORIGINAL" } }), client()],
      [],
      other.folder,
    );
    await other.remove();
    expect(exitCode).toBe(1);
    expect(errors[0]?.what).toContain(
      `issues tokens as https://issuer-cognito-idp.us-east-2.amazonaws.com/${POOL_ID}, which environment dev does not list`,
    );
    expect(errors[0]?.mend).toContain("--issuer-configuration Type=ORIGINAL");
    expect(same.exitCode).toBe(0);
  });

  it("looks for the claims that the policy names", async () => {
    const other = await createProject(wranglerToml(), {
      tenantClaim: "custom:org",
      roleClaim: "role",
      routes: [{ path: "/v1/*" }],
    });
    const harmless = await doctor(
      [client({ WriteAttributes: ["custom:tenant_id", "custom:role"] })],
      [],
      other.folder,
    );
    const { errors } = await doctor([client({ WriteAttributes: ["custom:org"] })], [], other.folder);
    await other.remove();
    expect(harmless.exitCode).toBe(0);
    expect(errors.map(({ what }) => what.slice(0, 20))).toEqual(["may write custom:org"]);
  });

  it("passes a token that ends with its revocation, and fails one that ends later", async () => {
    const day = {
      AccessTokenValidity: 1,
      IdTokenValidity: 1,
      TokenValidityUnits: { AccessToken: "days", IdToken: "days" },
    };
    expect((await doctor([client(day)], ["--revocation-ttl", "86400"])).exitCode).toBe(0);
    expect((await doctor([client(day)], ["--revocation-ttl", "86399"])).exitCode).toBe(1);
  });

  it("warns of a client that the configuration does not know", async () => {
    const { exitCode, findings } = await doctor([client({ ClientId: "new-client" })]);
    expect(exitCode).toBe(0);
    expect(findings.map(({ what }) => what)).toEqual([
      "is not in client_ids of its pool, so the gateway answers its tokens with invalid_audience",
    ]);
  });

  it("prints no secret, in text or JSON", async () => {
    const secret = "1s3cr3t0fth3cl13nt";
    const document = client({ ClientSecret: secret, AllowedOAuthFlows: ["client_credentials", "implicit"] });
    const { stdout, errors } = await doctor([document]);
    expect(errors).toHaveLength(1);
    const file = await project.write("secret.json", JSON.stringify(document));
    const text = await edge(["doctor", file], { cwd: project.folder });
    expect(stdout + text.stdout + text.stderr).not.toContain(secret);
    expect(text.stdout).toMatch(
      /^error {2}client web \(app-client\): allows the implicit grant.*\.\n {7}mend: jq /m,
    );
  });

  it("refuses a file that is neither, and says what it wants", async () => {
    const file = await project.write("other.json", '{"Users":[]}');
    const run = await edge(["doctor", file], { cwd: project.folder });
    expect(run.stderr).toContain("is not the output of aws cognito-idp describe-user-pool");
    expect(run.exitCode).toBe(2);
    expect((await edge(["doctor"])).exitCode).toBe(2);
  });
});
