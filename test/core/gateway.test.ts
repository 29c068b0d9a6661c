import { describe, expect, it } from "vitest";
import { type Config, parseConfig } from "../../src/core/config.ts";
import { createGateway, originOf } from "../../src/core/gateway.ts";
import { parsedPolicy, routeOf } from "./policy/tables.ts";

function configOf(origins: Record<string, string>): Config {
  const parsed = parseConfig({
    ORIGIN_URL: "https://origin.example",
    ORIGINS: origins,
    USER_POOLS: [{ id: "us-east-2_A", client_ids: [] }],
  });
  if (!parsed.ok) throw new Error(parsed.faults.join("\n"));
  return parsed.value;
}

const CONFIG = configOf({ billing: "https://billing.example/v2" });
const ROUTES = [
  { path: "/billing/*", origin: "billing" },
  { path: "/a", origin: "audit" },
  { path: "/b" },
  { path: "/c", origin: "toString" },
];

describe("a gateway", () => {
  it("joins configuration and policy, with nothing remembered", () => {
    const policy = parsedPolicy({ routes: [{ path: "/billing/*", origin: "billing" }, { path: "/b" }] });
    const created = createGateway(CONFIG, policy);
    if (!created.ok) throw new Error(created.faults.join("\n"));
    expect(created.value.config).toBe(CONFIG);
    expect(created.value.policy).toBe(policy);
    expect(created.value.matcher.match(["b"], "GET")).toBe(policy.routes[1]);
    expect(Object.keys(created.value).toSorted()).toEqual(
      ["allowLists", "config", "jwks", "matcher", "policy", "revocations", "verified"].toSorted(),
    );
  });

  it("is refused with each route to an origin that is not configured", () => {
    expect(createGateway(CONFIG, parsedPolicy({ routes: ROUTES }))).toEqual({
      ok: false,
      faults: ["routes.1.origin: is not one of ORIGINS", "routes.3.origin: is not one of ORIGINS"],
    });
  });
});

describe("the origin of a route", () => {
  it("is the one that it names, or ORIGIN_URL", () => {
    expect(originOf(routeOf({ path: "/a", origin: "billing" }), CONFIG).baseUrl).toBe(
      "https://billing.example/v2",
    );
    expect(originOf(routeOf({ path: "/a" }), CONFIG)).toBe(CONFIG.defaultOrigin);
  });
});
