import { readFile, writeFile } from "node:fs/promises";
import { networkInterfaces } from "node:os";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { freePort } from "../cli/cognito-domain.ts";
import {
  type Clone,
  cloneProject,
  type PrintedCurl,
  printedCurls,
  type Run,
  run,
  waitUntilReady,
} from "./local-stack.ts";
import { kill, processTree, running, waitUntilGone } from "./processes.ts";

const OUTCOMES = [
  ["user ok", 200],
  ["machine ok", 200],
  ["webchat without token", 200],
  ["token_expired", 401],
  ["invalid_signature", 401],
  ["missing_tenant_claim", 403],
  ["insufficient_role", 403],
  ["tenant_not_allowed", 403],
  ["missing_token", 401],
] as const;
const REPORTS = "/v1/reports/daily";
const KV = ["--binding", "M2M_TENANTS", "--env", "dev", "--local"];
const HONOURED_MS = 60_000;

let clone: Clone;
let gateway: string;
let cognito: string;
let ports: Record<string, string>;
const started: number[] = [];

beforeAll(async () => {
  clone = await cloneProject();
  const [edge, pool, api] = await Promise.all([freePort(), freePort(), freePort()]);
  ports = { EDGE_PORT: String(edge), EDGE_COGNITO_PORT: String(pool), EDGE_API_PORT: String(api) };
  gateway = `http://127.0.0.1:${edge}`;
  cognito = `http://127.0.0.1:${pool}`;
});
afterAll(async () => {
  kill(started);
  await clone.remove();
});

function start(command: string, args: readonly string[], env: Record<string, string> = ports): Run {
  const process = run(clone.folder, command, args, env);
  started.push(process.pid);
  return process;
}

/** The processes of a stack; they are ended after the tests, whatever comes of them. */
function processesOf(stack: Run): readonly number[] {
  const tree = processTree(stack.pid);
  started.push(...tree);
  return tree;
}

const ask = ({ url, init }: PrintedCurl): Promise<Response> => fetch(url, init);

const control = (action: string): Promise<Response> =>
  fetch(`${cognito}/_control/${action}`, { method: "POST" });

const mint = async (query: string): Promise<string> =>
  (await fetch(`${cognito}/_control/token?${query}`)).text();

async function askReports(token: string, tenant?: string): Promise<{ status: number; error: unknown }> {
  const headers = { authorization: `Bearer ${token}`, ...(tenant && { "x-tenant-id": tenant }) };
  const response = await fetch(gateway + REPORTS, { headers });
  return { status: response.status, error: (await response.json()).error };
}

describe("npm start in a fresh clone", () => {
  let stack: Run;
  let curls: readonly PrintedCurl[];
  let granting: Run;

  const named = (name: string): PrintedCurl => {
    const curl = curls.find((each) => each.name === name);
    if (curl === undefined) throw new Error(`no curl is printed for ${name}`);
    return curl;
  };

  beforeAll(async () => {
    stack = start("npm", ["start"]);
    await waitUntilReady(stack);
    processesOf(stack);
    curls = printedCurls(stack.output());
    // the gateway must have read the list before it changes: a first read would prove nothing
    expect(await askReports(await mint("client=unlisted_agent"), "acme")).toMatchObject({ status: 403 });
    const grant = '{"tenants":["acme"],"role":"viewer"}';
    granting = start("wrangler", ["kv", "key", "put", "unlisted_agent", grant, ...KV]);
  }, 90_000);

  test("prints a curl for each outcome, and no other", () => {
    expect(curls.map(({ name, status }) => [name, status])).toEqual(OUTCOMES);
  });

  test.each(OUTCOMES)("prints a curl that gives what it says: %s, %i", async (name, status) => {
    const response = await ask(named(name));
    const body = await response.json();
    expect({ status: response.status, error: body.error }).toEqual({
      status,
      error: status === 200 ? undefined : name,
    });
  });

  test("forwards a verified identity to the API stand-in", async () => {
    const { headers } = await (await ask(named("machine ok"))).json();
    expect(headers).toMatchObject({
      "x-auth-caller": "m2m",
      "x-auth-client-id": "acme_agent",
      "x-auth-tenant-id": "acme",
      "x-auth-role": "agent",
    });
  });

  test("prints the gateway's log, and no token in it", async () => {
    const token = await mint("user=vic");
    const { init } = named("user ok");
    await fetch(gateway + REPORTS, {
      headers: { ...init.headers, authorization: token, "x-request-id": "seen-in-the-log" },
    });
    await vi.waitUntil(() => stack.output().includes('"request_id":"seen-in-the-log"'), { timeout: 10_000 });
    expect(stack.output()).not.toContain(token.split(".")[2]);
  });

  test("issues a machine's token that the gateway takes, for its secret", async () => {
    const response = await fetch(`${cognito}/oauth2/token`, {
      method: "POST",
      headers: { authorization: `Basic ${btoa("roaming_agent:local_secret_of_roaming_agent")}` },
      body: new URLSearchParams({ grant_type: "client_credentials" }),
    });
    const { access_token } = await response.json();
    expect(await askReports(access_token, "anything")).toMatchObject({ status: 200 });
  });

  test("listens on loopback alone", async () => {
    const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
    for (const { address } of addresses.filter(({ family, internal }) => family === "IPv4" && !internal))
      for (const port of Object.values(ports))
        await expect(
          fetch(`http://${address}:${port}/`, { signal: AbortSignal.timeout(5000) }),
        ).rejects.toThrow();
  });

  test("names every taken port and how to choose another, with exit code 1 and nothing left", async () => {
    const second = start("node", ["src/local/start.ts"]);
    expect(await second.exit).toBe(1);
    for (const [variable, port] of Object.entries(ports))
      expect(second.output()).toMatch(new RegExp(`Port ${port}, .* is taken\\. .* or ${variable}\\.`));
    expect(second.output()).not.toContain(" at "); // no stack trace
    await waitUntilGone([second.pid]);
    expect((await ask(named("user ok"))).status).toBe(200);
  });

  test("goes on with known keys while the Cognito stand-in is gone", async () => {
    await control("down?how=dropped");
    expect((await ask(named("user ok"))).status).toBe(200);
    expect((await ask(named("machine ok"))).status).toBe(200);
    await control("up");
  });

  test("accepts the first request with a new key after a rotation", async () => {
    await control("rotate");
    expect(await askReports(await mint("user=ada"))).toMatchObject({ status: 200 });
    expect((await ask(named("user ok"))).status).toBe(401); // the key of before is gone
  });

  test("keeps its KV where wrangler's --local commands see it", async () => {
    const reading = start("wrangler", ["kv", "key", "get", "acme_agent", ...KV]);
    await reading.exit;
    expect(reading.output()).toContain('{"tenants":["acme","globex"],"role":"agent"}');
  });

  test("honours within a minute what wrangler's --local commands write", async () => {
    expect(await granting.exit, granting.output()).toBe(0);
    await vi.waitFor(
      async () =>
        expect(await askReports(await mint("client=unlisted_agent"), "acme")).toMatchObject({ status: 200 }),
      { timeout: HONOURED_MS, interval: 500 },
    );
  }, 120_000);

  test("leaves no process behind at Ctrl-C", async () => {
    const tree = processesOf(stack);
    expect(tree.length).toBeGreaterThanOrEqual(3); // npm, node, workerd; a shell on most systems
    process.kill(-stack.pid, "SIGINT"); // to the group, as a terminal does
    await stack.exit;
    await waitUntilGone(tree);
  });
});

describe("another start over the state of the first", () => {
  let stack: Run;

  beforeAll(async () => {
    stack = start("node", ["src/local/start.ts"]);
    await waitUntilReady(stack);
  }, 90_000);

  test("keeps what was granted in between", async () => {
    expect(stack.output()).toContain("M2M_TENANTS seeded before");
    expect(await askReports(await mint("client=unlisted_agent"), "acme")).toMatchObject({ status: 200 });
  });

  test("leaves no process behind at SIGTERM, and ends with 0", async () => {
    const tree = processesOf(stack);
    process.kill(stack.pid, "SIGTERM");
    expect(await stack.exit).toBe(0);
    await waitUntilGone(tree);
  });
});

describe("a start with --reset, and Cognito away", () => {
  let stack: Run;

  beforeAll(async () => {
    stack = start("npm", ["start", "--", "--reset", "--log", "decisions.log"]);
    await waitUntilReady(stack);
  }, 90_000);

  test("answers 503 jwks_unavailable while it has never had a key, and recovers by itself", async () => {
    const token = await mint("user=ada");
    await control("down?how=dropped");
    expect(await askReports(token)).toEqual({ status: 503, error: "jwks_unavailable" });
    await control("up");
    await vi.waitFor(async () => expect(await askReports(token)).toMatchObject({ status: 200 }), {
      timeout: 30_000,
      interval: 500,
    });
  });

  test("has forgotten what was granted", async () => {
    expect(await askReports(await mint("client=unlisted_agent"), "acme")).toEqual({
      status: 403,
      error: "tenant_not_allowed",
    });
    expect(await askReports(await mint("client=acme_agent"), "acme")).toMatchObject({ status: 200 });
  });

  test("leaves no process behind when npm alone is told to end", async () => {
    const tree = processesOf(stack);
    process.kill(stack.pid, "SIGTERM");
    await waitUntilGone(tree);
  });
});

describe("a start that does not come to its end", () => {
  test("leaves no process behind when it is stopped half-way", async () => {
    const stack = start("node", ["src/local/start.ts"]);
    await vi.waitUntil(async () => (await fetch(cognito).catch(() => undefined)) !== undefined, {
      timeout: 60_000,
      interval: 20,
    }); // the stand-ins are up, workerd is not yet
    const tree = processesOf(stack);
    process.kill(stack.pid, "SIGINT");
    await stack.exit;
    await waitUntilGone(tree);
    expect(stack.output()).not.toContain("Ctrl-C");
  });

  test("prints what workerd said of a faulty policy, with exit code 1 and nothing left", async () => {
    const file = `${clone.folder}/src/policy.ts`;
    await writeFile(file, (await readFile(file, "utf8")).replace('role: "admin"', 'role: "boss"'));
    const stack = start("node", ["src/local/start.ts"]);
    expect(await stack.exit).toBe(1);
    expect(stack.output()).toContain("routes.1.role: is not one of roles");
    expect(stack.output()).not.toContain("miniflare");
    expect(running([stack.pid])).toEqual([]);
  });

  test.each([
    ["a port that is none", ["--port", "70000"], "It is 1 to 65535"],
    ["one port twice", ["--port", "9000", "--api-port", "9000"], "two of the three ports are the same"],
    ["an unknown option", ["--prot", "1"], "unknown option"],
  ])("refuses %s with exit code 2", async (_what, args, message) => {
    const stack = start("node", ["src/local/start.ts", ...args], {});
    expect(await stack.exit).toBe(2);
    expect(stack.output()).toContain(message);
  });

  test("prints help that names each option and variable, with exit code 0", async () => {
    const stack = start("node", ["src/local/start.ts", "--help"], {});
    expect(await stack.exit).toBe(0);
    for (const name of ["--port", "EDGE_PORT", "EDGE_COGNITO_PORT", "EDGE_API_PORT", "--log", "--reset"])
      expect(stack.output()).toContain(name);
  });
});
