import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startFaultyGateway } from "../support/faults.ts";
import { startGateway } from "../support/gateway.ts";
import { type Call, eventually, type Stack, startStack } from "./stack.ts";

const LIMIT = 3;
let stack: Stack;

beforeAll(async () => {
  stack = await startStack(startGateway, {
    policy: {
      roles: ["viewer", "admin"],
      routes: [
        { path: "/pub/*", access: "public", cors: ["*"] },
        { path: "/open/*", tenant: false },
        { path: "/admin/*", role: "admin" },
        { path: "/*" },
      ],
    },
    rateLimits: { PUBLIC_RATE_LIMIT: LIMIT, TENANT_RATE_LIMIT: LIMIT },
  });
  await (await stack.gateway.kv("M2M_TENANTS")).put("machine-1", '["*"]');
});
afterAll(() => stack?.close());

/** Outcomes of requests one after the other. */
async function outcomesOf(times: number, path: string, call: Call): Promise<string[]> {
  const outcomes: string[] = [];
  for (let index = 0; index < times; index += 1) outcomes.push(await stack.outcome(path, call));
  return outcomes;
}
const fromAddress = (address: string): Call => ({ headers: { "cf-connecting-ip": address } });
const ofTenant = async (tenant: string, claims: Record<string, unknown> = {}): Promise<Call> => ({
  token: await stack.id({ "custom:tenant_id": tenant, ...claims }),
});
let fresh = 0;
/** Addresses and tenants that no other test, and no other try of this one, has used up. */
const newAddress = (): string => `203.0.113.${++fresh}`;
const newTenant = (): string => `tenant-${++fresh}`;
const ALL = Array<string>(LIMIT).fill("200");

// the limit's minutes are those of the clock on the wall: a test that one of them ends in begins anew
const ANEW = { retry: 2 };

describe("PUBLIC_RATE_LIMIT", ANEW, () => {
  it("limits each client address on public routes, all of them together", async () => {
    const address = newAddress();
    expect(await outcomesOf(LIMIT - 1, "/pub/a", fromAddress(address))).toEqual(ALL.slice(1));
    expect(await outcomesOf(2, "/pub/b", fromAddress(address))).toEqual(["200", "rate_limited"]);
    expect(await stack.outcome("/pub/a", fromAddress(newAddress()))).toBe("200");
  });

  it("answers 429 with Retry-After: 60, readable, and nothing is forwarded", async () => {
    const address = newAddress();
    await outcomesOf(LIMIT, "/pub/a", fromAddress(address));
    const before = stack.origin.received.length;
    const headers = { "cf-connecting-ip": address, origin: "https://widget.example" };
    const response = await stack.call("/pub/a", { headers });
    expect([response.status, response.headers.get("retry-after")]).toEqual([429, "60"]);
    expect(response.headers.get("access-control-allow-origin")).toBe("https://widget.example");
    expect(response.headers.get("access-control-expose-headers")).toContain("retry-after");
    expect(stack.origin.received.length).toBe(before);
  });

  it("is not escaped by headers that name another address", async () => {
    const address = newAddress();
    await outcomesOf(LIMIT, "/pub/a", fromAddress(address));
    for (const name of ["x-forwarded-for", "forwarded", "x-real-ip", "true-client-ip"]) {
      const headers = { "cf-connecting-ip": address, [name]: newAddress() };
      expect(await stack.outcome("/pub/a", { headers })).toBe("rate_limited");
    }
  });

  it("does not concern authenticated routes, preflights and own endpoints", async () => {
    const address = newAddress();
    expect(await outcomesOf(LIMIT + 1, "/pub/a", fromAddress(address))).toEqual([...ALL, "rate_limited"]);
    const headers = { "cf-connecting-ip": address };
    expect(await stack.outcome("/x", { ...(await ofTenant(newTenant())), headers })).toBe("200");
    const preflight = { ...headers, origin: "https://a.example", "access-control-request-method": "GET" };
    expect((await stack.call("/pub/a", { method: "OPTIONS", headers: preflight })).status).toBe(204);
    expect((await stack.call("/.well-known/oauth-protected-resource", { headers })).status).toBe(200);
  });
});

describe("TENANT_RATE_LIMIT", ANEW, () => {
  it("limits each tenant, whoever acts for it, people and machines", async () => {
    const tenant = newTenant();
    const first = await ofTenant(tenant, { sub: "one" });
    const second = await ofTenant(tenant, { sub: "two" });
    const machine = { token: await stack.machine(), tenant };
    for (const call of [first, second, machine]) expect(await stack.outcome("/x", call)).toBe("200");
    for (const call of [first, second, machine]) expect(await stack.outcome("/x", call)).toBe("rate_limited");
    expect(await stack.outcome("/x", { ...machine, tenant: newTenant() })).toBe("200");
  });

  it("comes last: who is refused costs the tenant nothing", async () => {
    const viewer = await ofTenant(newTenant(), { "custom:role": "viewer" });
    const refused = Array(LIMIT + 1).fill("insufficient_role");
    expect(await outcomesOf(LIMIT + 1, "/admin/x", viewer)).toEqual(refused);
    expect(await outcomesOf(LIMIT + 1, "/x", viewer)).toEqual([...ALL, "rate_limited"]);
    expect(await stack.outcome("/admin/x", viewer)).toBe("insufficient_role");
  });

  it("does not concern who has no tenant", async () => {
    const token = await stack.id({ "custom:tenant_id": undefined });
    expect(await outcomesOf(LIMIT + 2, "/open/x", { token })).toEqual(Array(LIMIT + 2).fill("200"));
  });

  it("answers 429 with Retry-After: 60", async () => {
    const tenant = newTenant();
    const call = await ofTenant(tenant);
    await outcomesOf(LIMIT, "/x", call);
    const response = await stack.call("/x", call);
    expect([response.status, response.headers.get("retry-after")]).toEqual([429, "60"]);
    expect(await stack.lineOf(response)).toMatchObject({ error: "rate_limited", tenant });
  });
});

describe("without the bindings", () => {
  it("there is no limit", async () => {
    const free = await startStack(startGateway, {
      policy: { routes: [{ path: "/pub/*", access: "public" }, { path: "/*" }] },
    });
    const token = await free.id();
    for (let index = 0; index < 20; index += 1) {
      expect(await free.outcome("/pub/x")).toBe("200");
      expect(await free.outcome("/x", { token })).toBe("200");
    }
    await free.close();
  });
});

describe("a limit that cannot be asked", () => {
  it.each(["throw", "reject", "hang"] as const)("limits nobody, and the log tells: %s", async (kind) => {
    const faulty = await startStack(startFaultyGateway, {
      policy: { routes: [{ path: "/pub/*", access: "public" }, { path: "/*" }] },
      rateLimits: { PUBLIC_RATE_LIMIT: LIMIT, TENANT_RATE_LIMIT: LIMIT },
    });
    await faulty.gateway.setFaults({
      "PUBLIC_RATE_LIMIT.limit": { kind },
      "TENANT_RATE_LIMIT.limit": { kind },
    });
    expect(await faulty.outcome("/pub/x", fromAddress("203.0.113.250"))).toBe("200");
    expect(await faulty.outcome("/x", { token: await faulty.id() })).toBe("200");
    const failures = () => faulty.gateway.logs.filter(({ event }) => event === "rate_limit_failed");
    await eventually(() =>
      expect(failures()).toEqual([
        { event: "rate_limit_failed", binding: "PUBLIC_RATE_LIMIT" },
        { event: "rate_limit_failed", binding: "TENANT_RATE_LIMIT" },
      ]),
    );
    await faulty.close();
  });
});
