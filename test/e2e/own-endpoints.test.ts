import { afterAll, beforeAll, describe, expect, it } from "vitest";
import pkg from "../../package.json" with { type: "json" };
import { type FaultyGateway, startFaultyGateway } from "../support/faults.ts";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { deadUrl, poolOf, type Stack, startStack } from "./stack.ts";

const METADATA = "/.well-known/oauth-protected-resource";
const HEALTH = "/.well-known/edge-authorizer/health";
const MINUTE = 60_000;

interface Health {
  readonly status: string;
  readonly version: string;
  readonly pools: readonly { id: string; keys: number; age_seconds: number | null }[];
}

const healthOf = async (gateway: TestGateway): Promise<[number, Health]> => {
  const response = await gateway.fetch(HEALTH);
  return [response.status, (await response.json()) as Health];
};

describe("the metadata of the protected resource (RFC 9728)", () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack(startGateway, {
      policy: {
        m2mScope: "zen/m2m",
        routes: [
          { path: "/.well-known/*", access: "deny" },
          { path: "/v1/a", scopes: ["api/read", "api/write"] },
          { path: "/v1/b", scopes: ["api/read"] },
          { path: "/v1/*" },
        ],
      },
      varsOf: ({ cognito }) => ({
        USER_POOLS: [poolOf(cognito), { id: "us-east-2_Derived1", client_ids: ["x"] }],
      }),
    });
  });
  afterAll(() => stack?.close());

  it("names the resource, whose tokens it takes, where, and with which scopes", async () => {
    const response = await stack.call(METADATA);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(await response.json()).toEqual({
      resource: stack.gateway.url,
      authorization_servers: [stack.issuer, "https://cognito-idp.us-east-2.amazonaws.com/us-east-2_Derived1"],
      bearer_methods_supported: ["header"],
      scopes_supported: ["api/read", "api/write", "zen/m2m"],
    });
  });

  it("is where a challenge says that it is", async () => {
    const challenge = (await stack.call("/v1/a")).headers.get("www-authenticate") ?? "";
    const [, address = ""] = /resource_metadata="([^"]+)"/.exec(challenge) ?? [];
    expect((await fetch(address)).status).toBe(200);
  });

  it("and health are shadowed by no route, in no spelling, and take GET and HEAD alone", async () => {
    for (const path of [METADATA, `${METADATA}/`, "/%2Ewell-known/oauth%2Dprotected-resource", HEALTH]) {
      expect((await stack.call(path)).status).toBeLessThan(600);
      expect((await stack.call(path)).headers.get("content-type")).toBe("application/json");
      expect(await stack.outcome(path, { method: "POST" })).toBe("route_not_found");
      const head = await stack.call(path, { method: "HEAD" });
      expect(await head.text()).toBe("");
      expect([200, 503]).toContain(head.status);
    }
    expect(await stack.outcome("/.well-known/other")).toBe("route_denied");
  });

  it("leave a log line that says answer", async () => {
    const line = await stack.lineOf(await stack.call(METADATA));
    expect(line).toMatchObject({ decision: "answer", status: 200, method: "GET" });
  });
});

describe("health", () => {
  let stack: Stack<FaultyGateway>;
  beforeAll(async () => {
    const dead = await deadUrl();
    stack = await startStack(startFaultyGateway, {
      varsOf: ({ cognito }) => ({ USER_POOLS: [poolOf(cognito), poolOf(dead, "us-east-2_Dead1")] }),
    });
  });
  afterAll(() => stack?.close());

  it("is 503 and degraded in a cold isolate without keys, and does not ask Cognito", async () => {
    const [status, health] = await healthOf(stack.gateway);
    expect(status).toBe(503);
    expect(health).toEqual({
      status: "degraded",
      version: pkg.version,
      pools: [
        { id: "us-east-2_Test1", keys: 0, age_seconds: null },
        { id: "us-east-2_Dead1", keys: 0, age_seconds: null },
      ],
    });
    expect(stack.cognito.received).toHaveLength(0);
  });

  it("is 200 with keys, and degraded while a pool has none", async () => {
    expect(await stack.outcome("/x", { token: await stack.id() })).toBe("200");
    const [status, health] = await healthOf(stack.gateway);
    expect([status, health.status]).toEqual([200, "degraded"]);
    expect(health.pools[0]).toEqual({ id: "us-east-2_Test1", keys: 1, age_seconds: expect.any(Number) });
    expect(health.pools[0]?.age_seconds).toBeLessThan(30);
  });

  it("asks for no token, and is never stored", async () => {
    const response = await stack.call(HEALTH);
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(response.headers.get("content-type")).toBe("application/json");
  });
});

describe("health of a single pool", () => {
  let stack: Stack<FaultyGateway>;
  beforeAll(async () => {
    stack = await startStack(startFaultyGateway, {});
    await stack.outcome("/x", { token: await stack.id() });
  });
  afterAll(() => stack?.close());

  it("is ok with a fresh set, degraded with one that is over ten minutes old, ok again after a refresh", async () => {
    expect((await healthOf(stack.gateway))[1].status).toBe("ok");
    await stack.gateway.advance(9 * MINUTE);
    expect((await healthOf(stack.gateway))[1].status).toBe("ok");
    await stack.gateway.advance(2 * MINUTE);
    const asked = stack.cognito.received.length;
    const [status, health] = await healthOf(stack.gateway);
    expect([status, health.status]).toEqual([200, "degraded"]);
    expect(health.pools[0]?.age_seconds).toBeGreaterThanOrEqual(660);
    expect(stack.cognito.received.length).toBe(asked); // health does not ask Cognito
    await stack.gateway.runCron();
    expect((await healthOf(stack.gateway))[1].status).toBe("ok");
  });

  it("is degraded when the last fetch failed, though the set is fresh", async () => {
    stack.cognito.handler = (_request, response) => response.writeHead(500).end();
    await stack.gateway.runCron();
    stack.cognito.handler = undefined;
    const [status, health] = await healthOf(stack.gateway);
    expect([status, health.status]).toEqual([200, "degraded"]);
    const asked = stack.cognito.received.length;
    await stack.gateway.runCron(); // within 10 s of the failure
    expect((await healthOf(stack.gateway))[1].status).toBe("degraded");
    expect(stack.cognito.received.length).toBe(asked);
    await stack.gateway.advance(10_000);
    await stack.gateway.runCron();
    expect((await healthOf(stack.gateway))[1].status).toBe("ok");
  });

  it("is 503 once the set is over 24 hours old", async () => {
    await stack.gateway.advance(24 * 60 * MINUTE + 1_000);
    const [status, health] = await healthOf(stack.gateway);
    expect([status, health.status]).toEqual([503, "degraded"]);
    expect(health.pools[0]?.keys).toBe(0);
  });
});
