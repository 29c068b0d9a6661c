import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type FaultyGateway, startFaultyGateway } from "../support/faults.ts";
import type { KVNamespaceLike } from "../support/gateway.ts";
import { eventually, nowSeconds, type Stack, startStack } from "./stack.ts";

const SECOND = 1_000;

let stack: Stack<FaultyGateway>;
let lists: KVNamespaceLike;
let clients = 0;
/** Moving the clock on must not end the token's life. */
const exp = nowSeconds() + 86_400;

beforeAll(async () => {
  stack = await startStack(startFaultyGateway, {
    policy: { roles: ["viewer", "admin"], routes: [{ path: "/admin/*", role: "admin" }, { path: "/*" }] },
  });
  lists = await stack.gateway.kv("M2M_TENANTS");
});
beforeEach(() => stack.gateway.setFaults({}));
afterAll(() => stack?.close());

/** A client that no other test has used: an isolate remembers lists. */
const newClient = () => `client-${++clients}`;
const outcomeOf = async (client: string, tenant = "acme", path = "/x") =>
  stack.outcome(path, { token: await stack.machine({ sub: client, client_id: client, exp }), tenant });
async function outcomeWith(text: string, tenant = "acme", path = "/x"): Promise<string> {
  const client = newClient();
  await lists.put(client, text);
  return outcomeOf(client, tenant, path);
}

describe("an allow-list", () => {
  it.each([
    ['{"tenants":["acme","globex"],"role":"agent","disabled":false}', "200"],
    ['{"tenants":["acme"]}', "200"],
    ['{"tenants":["acme","acme"]}', "200"],
    ['{"tenants":["*"]}', "200"],
    ['["acme"]', "200"],
    ['["*"]', "200"],
    [' \n{"tenants": ["acme"]}\n', "200"],
    ['{"tenants":["globex"]}', "tenant_not_allowed"],
    ['{"tenants":[]}', "tenant_not_allowed"],
    ["[]", "tenant_not_allowed"],
    ['["acme*"]', "tenant_not_allowed"],
    ['{"tenants":["acme"],"disabled":true}', "tenant_not_allowed"],
    ['{"tenants":["*"],"disabled":true}', "tenant_not_allowed"],
  ])("%j is %s", async (text, outcome) => {
    expect(await outcomeWith(text)).toBe(outcome);
  });

  it.each([
    "",
    "{}",
    "null",
    '"acme"',
    "acme",
    "7",
    '{"tenants":"acme"}',
    '{"tenants":["acme",7]}',
    '{"tenants":["acme"],"role":7}',
    '{"tenants":["acme"],"disabled":"yes"}',
    '["acme"',
    '{"role":"admin"}',
  ])("%j is malformed: 503 allowlist_unavailable, never allowed, and the log tells", async (text) => {
    const client = newClient();
    await lists.put(client, text);
    expect(await outcomeOf(client)).toBe("allowlist_unavailable");
    await eventually(() =>
      expect(stack.gateway.logs).toContainEqual({ event: "allowlist_malformed", client_id: client }),
    );
  });

  it("gives its role to the machine", async () => {
    expect(await outcomeWith('{"tenants":["acme"],"role":"admin"}', "acme", "/admin/x")).toBe("200");
    expect(await outcomeWith('{"tenants":["acme"],"role":"viewer"}', "acme", "/admin/x")).toBe(
      "insufficient_role",
    );
  });

  it("of 100,000 tenants is one like any other", async () => {
    const tenants = Array.from({ length: 100_000 }, (_, index) => `tenant-${index}`);
    const client = newClient();
    await lists.put(client, JSON.stringify({ tenants }));
    expect(await outcomeOf(client, "tenant-99999")).toBe("200");
    expect(await outcomeOf(client, "tenant-100000")).toBe("tenant_not_allowed");
  });
});

describe("the isolate's copy", () => {
  it("serves for at most 30 seconds: a grant and its end are seen after that", async () => {
    const client = newClient();
    expect(await outcomeOf(client)).toBe("tenant_not_allowed");
    await lists.put(client, '["acme"]');
    expect(await outcomeOf(client)).toBe("tenant_not_allowed"); // the copy says that there is none
    await stack.gateway.advance(30 * SECOND);
    expect(await outcomeOf(client)).toBe("200");
    await lists.delete(client);
    expect(await outcomeOf(client)).toBe("200");
    await stack.gateway.advance(30 * SECOND);
    expect(await outcomeOf(client)).toBe("tenant_not_allowed");
  });

  it("is refreshed in the background from 20 seconds on, while the old one answers", async () => {
    const client = newClient();
    await lists.put(client, '["acme"]');
    expect(await outcomeOf(client)).toBe("200");
    await lists.delete(client);
    await stack.gateway.advance(21 * SECOND);
    expect(await outcomeOf(client)).toBe("200"); // answered at once, from the copy
    await eventually(async () => expect(await outcomeOf(client)).toBe("tenant_not_allowed"));
  });

  it("costs no read while it is fresh", async () => {
    const client = newClient();
    await lists.put(client, '["acme"]');
    expect(await outcomeOf(client)).toBe("200");
    await stack.gateway.setFaults({ "M2M_TENANTS.get": { kind: "throw" } });
    await stack.gateway.advance(15 * SECOND);
    expect(await outcomeOf(client)).toBe("200");
    expect(
      stack.gateway.logs.filter((line) => line["client_id"] === client && line.event !== "decision"),
    ).toEqual([]);
  });

  it("that is the last good one serves while KV fails, until 5 minutes after it was read", async () => {
    const client = newClient();
    await lists.put(client, '["acme"]');
    expect(await outcomeOf(client)).toBe("200");
    await stack.gateway.setFaults({ "M2M_TENANTS.get": { kind: "reject" } });
    await stack.gateway.advance(280 * SECOND);
    expect(await outcomeOf(client)).toBe("200");
    expect(await outcomeOf(client, "globex")).toBe("tenant_not_allowed");
    await stack.gateway.advance(20 * SECOND);
    expect(await outcomeOf(client)).toBe("allowlist_unavailable");
    await stack.gateway.setFaults({});
    expect(await outcomeOf(client)).toBe("200");
  });
});

describe("KV that fails", () => {
  it("with no copy is 503 allowlist_unavailable, with Retry-After, and works again with KV", async () => {
    const client = newClient();
    await lists.put(client, '["acme"]');
    for (const kind of ["throw", "reject"] as const) {
      await stack.gateway.setFaults({ "M2M_TENANTS.get": { kind } });
      const token = await stack.machine({ sub: client, client_id: client, exp });
      const response = await stack.call("/x", { token, tenant: "acme" });
      expect([response.status, (await response.json()).error]).toEqual([503, "allowlist_unavailable"]);
      expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
    }
    await stack.gateway.setFaults({});
    expect(await outcomeOf(client)).toBe("200");
  });

  it("is not read before the decision reaches it: an earlier refusal stays that one", async () => {
    await stack.gateway.setFaults({ "M2M_TENANTS.get": { kind: "throw" } });
    const client = newClient();
    const expired = await stack.machine({ sub: client, client_id: client, exp: nowSeconds() - 86_400 });
    expect(await stack.outcome("/x", { token: expired, tenant: "acme" })).toBe("token_expired");
    const token = await stack.machine({ sub: client, client_id: client, exp });
    expect(await stack.outcome("/x", { token })).toBe("missing_tenant_header");
    expect(await stack.outcome("/x", { token: await stack.id({ exp }) })).toBe("200"); // people need no list
  });
});
