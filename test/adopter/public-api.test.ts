import { describe, expect, it } from "vitest";
import {
  createWorker,
  definePolicy,
  type Env,
  type Policy,
  PolicyError,
  type Principal,
  type Route,
} from "../../src/index.ts";
import shippedPolicy from "../../src/policy.ts";

describe("definePolicy", () => {
  it("hands the policy back unchanged", () => {
    const policy = { roles: ["viewer"], routes: [{ path: "/*", role: "viewer" }] } as const;
    expect(definePolicy(policy)).toBe(policy);
  });

  it("takes overlap, and routes over the gateway's own endpoints", () => {
    definePolicy({
      routes: [
        { path: "/a/:b" },
        { path: "/:a/b" },
        { path: "/a/*" },
        { path: "/.well-known/*", access: "public" },
        { path: "/x", methods: ["GET"] },
        { path: "/x" },
      ],
    });
  });

  const faultsOf = (policy: unknown): readonly string[] => {
    try {
      definePolicy(policy as Policy);
    } catch (error) {
      if (error instanceof PolicyError) return error.faults;
      throw error;
    }
    return [];
  };

  it("throws all faults at once, each with its path", () => {
    const faults = faultsOf({
      roles: ["viewer"],
      routes: [
        { path: "/a", role: "owner" },
        { path: "/:x/:x" },
        { path: "no-slash" },
        { path: "/b", tenantParam: "t" },
      ],
    });
    expect(faults.map((fault) => fault.split(": ", 1)[0])).toEqual([
      "routes.0.role",
      "routes.1.path",
      "routes.2.path",
      "routes.3.tenantParam",
    ]);
  });

  it.each([
    ["covered by one", [{ path: "/*" }, { path: "/a" }], "routes.1"],
    ["covered by one of the same form", [{ path: "/:a" }, { path: "/:b" }], "routes.1"],
    [
      "covered by two together",
      [
        { path: "/a", methods: ["GET"] },
        { path: "/a", methods: ["POST"] },
        { path: "/a", methods: ["GET", "POST"] },
      ],
      "routes.2",
    ],
    [
      "HEAD, that a GET has taken",
      [
        { path: "/a", methods: ["GET"] },
        { path: "/a", methods: ["HEAD"] },
      ],
      "routes.1",
    ],
  ])("throws for a route that is %s", (_what, routes, path) => {
    expect(faultsOf({ routes }).map((fault) => fault.split(":", 1)[0])).toEqual([path]);
  });

  it.each([
    "",
    "a",
    "/a//b",
    "/a/",
    "/a/*/b",
    "/a*",
    "/:",
    "/:1a",
    "/a?b",
    "/a#b",
    "/a%20b",
    "/a b",
    "/a;b",
    "/a\\b",
    "/../a",
    "//",
  ])("throws for the pattern %j", (path) => {
    expect(faultsOf({ routes: [{ path }] })).toHaveLength(1);
  });

  it("throws for what it does not know, so that a misspelt rule is no missing rule", () => {
    expect(faultsOf({ routes: [{ path: "/a", rol: "admin" }] })).toHaveLength(1);
    expect(faultsOf({ routes: [{ path: "/a" }], role: [] })).toHaveLength(1);
    expect(faultsOf({ routes: [{ path: "/a", methods: ["get"] }] })).toHaveLength(1);
    expect(faultsOf({ routes: [{ path: "/a", callers: [] }] })).toHaveLength(1);
    expect(faultsOf(undefined).length).toBeGreaterThan(0);
  });

  it("is typed: what it would throw for does not compile", () => {
    // @ts-expect-error a role that the ladder does not have
    expect(() => definePolicy({ roles: ["viewer"], routes: [{ path: "/a", role: "owner" }] })).toThrow();
    // @ts-expect-error an access that there is not
    expect(() => definePolicy({ routes: [{ path: "/a", access: "private" }] })).toThrow();
    // @ts-expect-error a kind of caller that there is not
    expect(() => definePolicy({ routes: [{ path: "/a", callers: ["robot"] }] })).toThrow();
    // @ts-expect-error a member that there is not
    expect(() => definePolicy({ routes: [{ path: "/a", roles: ["viewer"] }] })).toThrow();
    // @ts-expect-error no routes
    expect(() => definePolicy({})).toThrow();
    const route: Route<"viewer"> = { path: "/a", role: "viewer" };
    const caller: Pick<Principal, "caller"> = { caller: "m2m" };
    const vars: Pick<Env, "ORIGIN_URL" | "USER_POOLS"> = {
      ORIGIN_URL: "https://a.example",
      USER_POOLS: "[]",
    };
    expect([route.role, caller.caller, vars.USER_POOLS]).toEqual(["viewer", "m2m", "[]"]);
  });
});

describe("createWorker", () => {
  it("is a module Worker with fetch and scheduled alone", () => {
    expect(Object.keys(createWorker(shippedPolicy)).toSorted()).toEqual(["fetch", "scheduled"]);
  });

  it("does not throw for a policy with faults: it answers misconfigured", () => {
    expect(() => createWorker({ routes: [] })).not.toThrow();
  });
});
