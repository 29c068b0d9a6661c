import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startGateway } from "../support/gateway.ts";
import { type Call, type Stack, startStack } from "./stack.ts";

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
  await (await stack.gateway.kv("M2M_TENANTS")).put("machine-1", '["shared","own"]');
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
const FULL = [...Array(LIMIT).fill("200"), "rate_limited"];

describe("PUBLIC_RATE_LIMIT", () => {
  it("limits each client address on public routes, all of them together", async () => {
    expect(await outcomesOf(LIMIT - 1, "/pub/a", fromAddress("203.0.113.1"))).toEqual(
      FULL.slice(0, LIMIT - 1),
    );
    expect(await outcomesOf(2, "/pub/b", fromAddress("203.0.113.1"))).toEqual(["200", "rate_limited"]);
    expect(await stack.outcome("/pub/a", fromAddress("203.0.113.2"))).toBe("200");
  });

  it("answers 429 with Retry-After: 60, readable, and nothing is forwarded", async () => {
    const before = stack.origin.received.length;
    const headers = { "cf-connecting-ip": "203.0.113.1", origin: "https://widget.example" };
    const response = await stack.call("/pub/a", { headers });
    expect([response.status, response.headers.get("retry-after")]).toEqual([429, "60"]);
    expect(response.headers.get("access-control-allow-origin")).toBe("https://widget.example");
    expect(response.headers.get("access-control-expose-headers")).toContain("retry-after");
    expect(stack.origin.received.length).toBe(before);
  });

  it("is not escaped by headers that name another address", async () => {
    for (const name of ["x-forwarded-for", "forwarded", "x-real-ip", "true-client-ip"]) {
      const headers = { "cf-connecting-ip": "203.0.113.1", [name]: "203.0.113.99" };
      expect(await stack.outcome("/pub/a", { headers })).toBe("rate_limited");
    }
  });

  it("does not concern authenticated routes, preflights and own endpoints", async () => {
    const address = { "cf-connecting-ip": "203.0.113.1" };
    const { token = "" } = await ofTenant("unlimited");
    expect(await stack.outcome("/x", { token, headers: address })).toBe("200");
    const preflight = { ...address, origin: "https://a.example", "access-control-request-method": "GET" };
    expect((await stack.call("/pub/a", { method: "OPTIONS", headers: preflight })).status).toBe(204);
    expect((await stack.call("/.well-known/oauth-protected-resource", { headers: address })).status).toBe(
      200,
    );
  });
});

describe("TENANT_RATE_LIMIT", () => {
  it("limits each tenant, whoever acts for it, people and machines", async () => {
    const first = await ofTenant("shared", { sub: "one" });
    const second = await ofTenant("shared", { sub: "two" });
    const machine = { token: await stack.machine(), tenant: "shared" };
    expect(await stack.outcome("/x", first)).toBe("200");
    expect(await stack.outcome("/x", second)).toBe("200");
    expect(await stack.outcome("/x", machine)).toBe("200");
    for (const call of [first, second, machine]) expect(await stack.outcome("/x", call)).toBe("rate_limited");
    expect(await stack.outcome("/x", { ...machine, tenant: "own" })).toBe("200");
  });

  it("comes last: who is refused costs the tenant nothing", async () => {
    const viewer = await ofTenant("last", { "custom:role": "viewer" });
    expect(await outcomesOf(LIMIT + 1, "/admin/x", viewer)).toEqual(
      Array(LIMIT + 1).fill("insufficient_role"),
    );
    expect(await outcomesOf(LIMIT + 1, "/x", viewer)).toEqual(FULL);
    expect(await stack.outcome("/admin/x", viewer)).toBe("insufficient_role");
  });

  it("does not concern who has no tenant", async () => {
    const token = await stack.id({ "custom:tenant_id": undefined });
    expect(await outcomesOf(LIMIT + 2, "/open/x", { token })).toEqual(Array(LIMIT + 2).fill("200"));
  });

  it("answers 429 with Retry-After: 60", async () => {
    const response = await stack.call("/x", await ofTenant("shared"));
    expect([response.status, response.headers.get("retry-after")]).toEqual([429, "60"]);
    expect(await stack.lineOf(response)).toMatchObject({ error: "rate_limited", tenant: "shared" });
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
