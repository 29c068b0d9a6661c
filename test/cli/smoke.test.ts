import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { startCognito, startOrigin, startServer, type TestServer } from "../support/servers.ts";
import { createSigningKey, idClaims, type SigningKey, sign } from "../support/tokens.ts";
import { edge, parseJson } from "./project.ts";

interface Probe {
  readonly probe: string;
  readonly expected: string;
  readonly saw: string;
  readonly outcome: string;
}

let key: SigningKey;
let cognito: TestServer;
let origin: TestServer;
let gateway: TestGateway;
let folder: string;

beforeAll(async () => {
  key = await createSigningKey("key-1");
  [cognito, origin] = await Promise.all([startCognito(() => [key.jwk]), startOrigin()]);
  folder = await mkdtemp(join(tmpdir(), "edge-smoke-"));
  const issuer = `${cognito.url}/us-east-2_Ab12Cd34E`;
  gateway = await startGateway({
    policy: {
      routes: [
        { path: "/v1/public/*", access: "public" },
        { path: "/v1/widgets/*", cors: ["*"] },
        { path: "/v1/*" },
      ],
    },
    vars: {
      ORIGIN_URL: `${origin.url}/prod`,
      USER_POOLS: [
        {
          id: "us-east-2_Ab12Cd34E",
          client_ids: ["app-client"],
          issuers: [{ issuer, jwks_url: `${issuer}/.well-known/jwks.json` }],
        },
      ],
    },
  });
});

afterAll(async () => {
  await Promise.all([gateway.close(), cognito.close(), origin.close(), rm(folder, { recursive: true })]);
});

beforeEach(() => {
  origin.received.length = 0;
  origin.handler = undefined;
});

async function smoke(args: readonly string[], url = gateway.url) {
  const { exitCode, stdout, stderr } = await edge(["--json", "smoke", url, ...args]);
  expect(stderr).not.toContain("    at "); // no stack
  const { probes, ok } = parseJson(stdout) as unknown as { probes: Probe[]; ok: boolean };
  return { exitCode, ok, probes, probe: (name: string) => probes.find((each) => each.probe === name) };
}

const got = (probes: readonly Probe[], outcome: string): string[] =>
  probes.filter((each) => each.outcome === outcome).map(({ probe }) => probe);

describe("edge smoke", () => {
  it("passes on a gateway that lets nothing through, with one request for each probe", async () => {
    const { exitCode, ok, probes } = await smoke(["--route", "/v1/reports/1"]);
    expect({ exitCode, ok }).toEqual({ exitCode: 0, ok: true });
    expect(origin.received).toEqual([]);
    expect(got(probes, "answered")).toEqual(["preflight"]);
    expect(probes.length).toBeGreaterThan(15);
    const ids = gateway.decisions().filter(({ request_id: id }) => String(id).startsWith("edge-smoke-"));
    expect(ids).toHaveLength(probes.length);
    expect(new Set(ids.map(({ method }) => method))).toEqual(new Set(["GET", "OPTIONS"]));
  });

  it("sees the very code that each probe is to be refused with", async () => {
    const { probes } = await smoke(["--route", "/v1/reports/1"]);
    for (const { probe, expected, saw } of probes.filter(({ probe: name }) => !name.startsWith("path: ")))
      expect(`${probe}: ${saw}`).toContain(expected);
    expect(probes.map(({ probe }) => probe)).toEqual(
      expect.arrayContaining([
        "forged signature",
        "forged, HS256 by the public key",
        "wrong pool",
        "spoofed identity headers",
      ]),
    );
  });

  it("tries a token that has expired, where one is handed in", async () => {
    const now = Math.floor(Date.now() / 1000);
    const token = await sign(key, idClaims(`${cognito.url}/us-east-2_Ab12Cd34E`, now - 7200));
    const file = join(folder, "expired.txt");
    await writeFile(file, token);
    const { exitCode, probe } = await smoke(["--route", "/v1/reports/1", "--expired-token-file", file]);
    expect(exitCode).toBe(0);
    expect(probe("expired token")?.saw).toBe("401 token_expired");
  });

  it("fails where a token that was said to be expired gets through", async () => {
    const token = await sign(
      key,
      idClaims(`${cognito.url}/us-east-2_Ab12Cd34E`, Math.floor(Date.now() / 1000)),
    );
    const file = join(folder, "good.txt");
    await writeFile(file, token);
    const { exitCode, probes } = await smoke(["--route", "/v1/reports/1", "--expired-token-file", file]);
    expect(exitCode).toBe(1);
    expect(got(probes, "got through")).toEqual(["expired token"]);
  });

  it("fails where the API answers a direct request, and passes where it refuses it", async () => {
    const open = await smoke(["--route", "/v1/reports/1", "--origin", `${origin.url}/prod`]);
    expect(open.exitCode).toBe(1);
    expect(got(open.probes, "got through")).toEqual(["direct request to the API"]);
    expect(origin.received.map(({ target }) => target)).toEqual(["/prod/v1/reports/1"]);
    origin.handler = (_request, response) => void response.writeHead(403).end();
    const closed = await smoke(["--route", "/v1/reports/1", "--origin", `${origin.url}/prod`]);
    expect(closed.exitCode).toBe(0);
    expect(closed.probe("direct request to the API")?.outcome).toBe("refused");
  });

  it("fails on a route that is public", async () => {
    const { exitCode, probes } = await smoke(["--route", "/v1/public/x"]);
    expect(exitCode).toBe(1);
    expect(got(probes, "got through")).toEqual(expect.arrayContaining(["no token", "forged signature"]));
  });

  it("tells a refusal of the API's own from one of the gateway", async () => {
    const api = await startServer((_request, response) => {
      response.writeHead(401, { "apigw-requestid": "abc" }).end('{"message":"Unauthorized"}');
    });
    const { exitCode, probe } = await smoke(["--route", "/v1/x"], api.url);
    await api.close();
    expect(exitCode).toBe(1);
    expect(probe("no token")).toMatchObject({ outcome: "got through", saw: "401 of API Gateway" });
  });

  it("calls unclear, and fails, what is no gateway at all and what does not answer", async () => {
    const other = await startServer((_request, response) => void response.writeHead(404).end());
    const foreign = await smoke(["--route", "/v1/x"], other.url);
    await other.close();
    expect(foreign.exitCode).toBe(1);
    expect(foreign.probe("no token")).toMatchObject({ outcome: "unclear", saw: "404, not of the gateway" });
    const silent = await smoke(["--route", "/v1/x"], other.url);
    expect(silent.exitCode).toBe(1);
    expect(silent.probe("no token")?.saw).toBe("no answer (ECONNREFUSED)");
  });

  it("takes its route from the policy where none is named", async () => {
    const { stderr, stdout, exitCode } = await edge(["smoke", gateway.url]);
    expect(stderr).toContain("/v1/tenants/edge-smoke/edge-smoke is the route asked for");
    expect(stdout).toMatch(/probe +expected +came back +outcome/);
    expect(stdout).toContain("The API itself was not asked: name it with --origin.");
    expect(exitCode).toBe(0);
  });

  it("refuses an address that is none", async () => {
    expect((await edge(["smoke", "api.example.com"])).exitCode).toBe(2);
  });
});
