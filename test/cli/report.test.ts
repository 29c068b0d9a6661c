import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startGateway } from "../support/gateway.ts";
import { startCognito, startOrigin } from "../support/servers.ts";
import { createSigningKey, idClaims, sign } from "../support/tokens.ts";
import { edge, parseJson } from "./project.ts";

interface Report {
  readonly decisions: Record<string, number>;
  readonly would_have_refused: number;
  readonly by_route: readonly Record<string, unknown>[];
  readonly by_client: readonly Record<string, unknown>[];
  readonly ways_out: Record<string, string>;
}

let folder: string;
/** Log lines that a gateway in report mode has really written. */
let lines: string[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "edge-report-"));
  const key = await createSigningKey("key-1");
  const [cognito, origin] = await Promise.all([startCognito(() => [key.jwk]), startOrigin()]);
  const issuer = `${cognito.url}/us-east-2_Ab12Cd34E`;
  const gateway = await startGateway({
    policy: {
      roles: ["viewer", "admin"],
      routes: [{ path: "/v1/admin/*", role: "admin" }, { path: "/v1/*" }],
    },
    vars: {
      MODE: "report",
      ORIGIN_URL: origin.url,
      USER_POOLS: [
        {
          id: "us-east-2_Ab12Cd34E",
          client_ids: ["app-client"],
          issuers: [{ issuer, jwks_url: `${issuer}/jwks.json` }],
        },
      ],
    },
  });
  const now = Math.floor(Date.now() / 1000);
  const call = async (path: string, claims?: Record<string, unknown>, method = "GET") => {
    const token = claims && (await sign(key, idClaims(issuer, now, claims)));
    await gateway.fetch(path, { method, ...(token && { headers: { authorization: `Bearer ${token}` } }) });
  };
  await call("/v1/a", {});
  await call("/v1/admin/a", { "custom:role": "viewer", sub: "ada" });
  await call("/v1/admin/b", { "custom:role": "viewer", sub: "bob" });
  await call("/v1/a", { aud: "forgotten-client" }, "POST");
  await call("/v1/a");
  await call("/v2");
  lines = gateway.logs.map((line) => JSON.stringify(line));
  await Promise.all([gateway.close(), cognito.close(), origin.close()]);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

async function report(content: string): Promise<Report> {
  const file = join(folder, "log");
  await writeFile(file, content);
  const run = await edge(["report", file, "--json"]);
  expect(run.exitCode).toBe(0);
  return parseJson(run.stdout) as unknown as Report;
}

describe("edge report", () => {
  it("sums a log up by route, error and client: who would have been refused", async () => {
    const { decisions, would_have_refused, by_route, by_client, ways_out } = await report(lines.join("\n"));
    expect(decisions).toEqual({ forward: 1, report: 4, refuse: 1, answer: 0 });
    expect(would_have_refused).toBe(4);
    expect(by_route).toEqual([
      { route: "/v1/admin/*", method: "GET", error: "insufficient_role", requests: 2, clients: 1 },
      { route: "/v1/*", method: "POST", error: "invalid_audience", requests: 1, clients: 1 },
      { route: "/v1/*", method: "GET", error: "missing_token", requests: 1, clients: 0 },
    ]);
    expect(by_client).toEqual([
      {
        client_id: "app-client",
        caller: "user",
        requests: 2,
        callers: 2,
        errors: ["insufficient_role"],
        routes: ["GET /v1/admin/*"],
      },
      {
        client_id: "forgotten-client",
        caller: "user",
        requests: 1,
        callers: 1,
        errors: ["invalid_audience"],
        routes: ["POST /v1/*"],
      },
      {
        client_id: null,
        caller: null,
        requests: 1,
        callers: 0,
        errors: ["missing_token"],
        routes: ["GET /v1/*"],
      },
    ]);
    expect(Object.keys(ways_out)).toEqual(["insufficient_role", "invalid_audience", "missing_token"]);
  });

  it("reads the same from wrangler's tail, pretty-printed, with the record as text or as a value", async () => {
    const expected = await report(lines.join("\n"));
    const event = (message: unknown) => ({
      outcome: "ok",
      scriptName: "gateway",
      event: { request: { url: "https://api.example.com/v1/{x}", headers: { "user-agent": 'a "{" b' } } },
      logs: [{ message: [message], level: "log", timestamp: 1_700_000_000_000 }],
      exceptions: [],
    });
    const asText = lines.map((line) => JSON.stringify(event(line), null, 2)).join("\n");
    expect(await report(asText)).toEqual(expected);
    const asValue = lines.map((line) => JSON.stringify(event(JSON.parse(line)))).join("\r\n");
    expect(await report(asValue)).toEqual(expected);
  });

  it("reads the same from lines that hold a record among other text", async () => {
    const expected = await report(lines.join("\n"));
    const mixed = lines.flatMap((line) => [
      "GET https://api.example.com/v1/{id - Ok @ 24/11/2026",
      `  (log) ${line}`,
      '{"event":"jwks_fetch_failed","issuer":"https://x"}',
    ]);
    expect(await report(mixed.join("\n"))).toEqual(expected);
  });

  it("prints tables and the way out, from standard input", async () => {
    const run = await edge(["report", "-"], { input: lines.join("\n") });
    expect(run.exitCode).toBe(0);
    expect(run.stdout).toContain("6 requests: 1 forwarded, 4 reported, 1 refused, 0 answered.");
    expect(run.stdout).toMatch(/^2 +GET +\/v1\/admin\/\* +insufficient_role +1$/m);
    expect(run.stdout).toMatch(/\(unknown: no valid token\)/);
    expect(run.stdout).toContain("missing_token: If this route is for everybody");
  });

  it("fails on a log that holds no record of the gateway, and on no file", async () => {
    const empty = await edge(["report", "-"], { input: '{"event":"other"}\nhello {\n' });
    expect(empty.stderr).toContain("There is no record of the gateway in the input.");
    expect(empty.exitCode).toBe(1);
    const missing = await edge(["report", join(folder, "nowhere")]);
    expect(missing.stderr).toContain("cannot be read (ENOENT)");
    expect(missing.exitCode).toBe(2);
  });

  it("reads 100,000 records in seconds", async () => {
    const { decisions } = await report(
      Array.from({ length: 20_000 }, () => lines.slice(0, 5).join("\n")).join("\n"),
    );
    expect(decisions).toMatchObject({ report: 80_000, forward: 20_000 });
  });
});
