import { describe, expect, it } from "vitest";
import {
  checkAudience,
  checkCaller,
  checkGroups,
  checkRole,
  checkScopes,
  checkTime,
  checkTokenUse,
} from "../../src/core/checks.ts";
import { type Config, parseConfig, type UserPool } from "../../src/core/config.ts";
import type { Principal } from "../../src/core/principal.ts";
import { parsedPolicy, routeOf } from "./policy/tables.ts";

const NOW = 1_800_000_000;

const principal = (members: Partial<Principal> = {}): Principal => ({
  caller: "user",
  sub: "sub-1",
  tokenUse: "access",
  clientId: "app",
  exp: NOW + 3600,
  iat: NOW,
  nbf: undefined,
  resource: undefined,
  scopes: [],
  groups: [],
  username: "ada",
  tenantClaim: "acme",
  roleClaim: undefined,
  jti: undefined,
  originJti: undefined,
  ...members,
});

function configOf(vars: Record<string, unknown>): Config {
  const parsed = parseConfig({
    ORIGIN_URL: "https://origin.example",
    USER_POOLS: [{ id: "us-east-2_A", client_ids: ["app"] }],
    ...vars,
  });
  if (!parsed.ok) throw new Error(parsed.faults.join("\n"));
  return parsed.value;
}

describe("time", () => {
  const STRICT = configOf({ SKEW_TOLERANCE_SECONDS: 0 });
  const LENIENT = configOf({ EXP_TOLERANCE_SECONDS: 60, SKEW_TOLERANCE_SECONDS: 30 });
  const codeAt = (config: Config, members: Partial<Principal>, nowMs = NOW * 1000) =>
    checkTime(principal(members), config, nowMs)?.code;

  it.each([
    [STRICT, 1, undefined],
    [STRICT, 0.001, undefined],
    [STRICT, 0, "token_expired"],
    [STRICT, -1, "token_expired"],
    [LENIENT, -59, undefined],
    [LENIENT, -59.999, undefined],
    [LENIENT, -60, "token_expired"],
    [LENIENT, -61, "token_expired"],
  ] as const)("%#: of exp this far away", (config, offset, code) => {
    expect(codeAt(config, { exp: NOW + offset, iat: NOW - 7200 })).toBe(code);
  });

  it("counts milliseconds", () => {
    expect(codeAt(STRICT, { exp: NOW + 1, iat: NOW }, NOW * 1000 + 999)).toBeUndefined();
    expect(codeAt(STRICT, { exp: NOW + 1, iat: NOW }, NOW * 1000 + 1000)).toBe("token_expired");
    expect(codeAt(STRICT, { iat: NOW + 1 }, NOW * 1000 + 999)).toBe("token_not_yet_valid");
    expect(codeAt(STRICT, { iat: NOW + 1 }, NOW * 1000 + 1000)).toBeUndefined();
  });

  it.each(["iat", "nbf"] as const)("takes %s up to the skew, and not beyond", (claim) => {
    expect(codeAt(STRICT, { [claim]: NOW })).toBeUndefined();
    expect(codeAt(STRICT, { [claim]: NOW + 1 })).toBe("token_not_yet_valid");
    expect(codeAt(STRICT, { [claim]: NOW + 0.5 })).toBe("token_not_yet_valid");
    expect(codeAt(LENIENT, { [claim]: NOW + 30 })).toBeUndefined();
    expect(codeAt(LENIENT, { [claim]: NOW + 31 })).toBe("token_not_yet_valid");
  });

  it("calls a token expired before it calls it early", () => {
    expect(codeAt(STRICT, { exp: NOW, iat: NOW + 100 })).toBe("token_expired");
  });

  it("gives exp no skew, and iat no tolerance of exp", () => {
    expect(codeAt(configOf({ SKEW_TOLERANCE_SECONDS: 300 }), { exp: NOW })).toBe("token_expired");
    const config = configOf({ EXP_TOLERANCE_SECONDS: 300, SKEW_TOLERANCE_SECONDS: 0 });
    expect(codeAt(config, { iat: NOW + 1 })).toBe("token_not_yet_valid");
  });
});

describe("token_use", () => {
  const codeFor = (tokenUse: string, taken?: ("id" | "access")[]) =>
    checkTokenUse(principal({ tokenUse }), routeOf({ path: "/x", ...(taken && { tokenUse: taken }) }))?.code;

  it("is id or access on any route", () => {
    expect(codeFor("id")).toBeUndefined();
    expect(codeFor("access")).toBeUndefined();
    for (const use of ["", "refresh", "ID", "Access"]) expect(codeFor(use), use).toBe("invalid_token_use");
  });
  it("is the one that the route takes", () => {
    expect(codeFor("id", ["id"])).toBeUndefined();
    expect(codeFor("access", ["id"])).toBe("invalid_token_use");
    expect(codeFor("access", ["access"])).toBeUndefined();
    expect(codeFor("id", ["access"])).toBe("invalid_token_use");
  });
});

describe("audience", () => {
  const POOL: UserPool = { id: "p", clientIds: new Set(["app", "app-2"]), issuers: [] };
  const BOUND: UserPool = { ...POOL, resources: ["https://api.example", "urn:b"] };
  const codeFor = (members: Partial<Principal>, pool = POOL) => checkAudience(principal(members), pool)?.code;

  it("of a person is one of the pool's app clients", () => {
    expect(codeFor({ clientId: "app" })).toBeUndefined();
    expect(codeFor({ clientId: "app-2", tokenUse: "id" })).toBeUndefined();
    for (const clientId of ["other", "", "App", undefined]) {
      expect(codeFor({ clientId }), clientId).toBe("invalid_audience");
      expect(codeFor({ clientId, tokenUse: "id" }), clientId).toBe("invalid_audience");
    }
  });

  it("of a machine needs no entry", () => {
    expect(codeFor({ caller: "m2m", clientId: "machine" })).toBeUndefined();
  });

  it("has no resources where the pool names none", () => {
    for (const resource of ["https://evil.example", [], null, 1])
      expect(codeFor({ resource }), JSON.stringify(resource)).toBeUndefined();
  });

  it.each([
    ["absent", undefined],
    ["the client_id", "app"],
    ["one of them", "https://api.example"],
    ["another of them", "urn:b"],
    ["a list that holds one", ["https://other.example", "urn:b"]],
  ])("passes with an aud that is %s", (_name, resource) => {
    expect(codeFor({ resource }, BOUND)).toBeUndefined();
    expect(codeFor({ caller: "m2m", resource }, BOUND)).toBeUndefined();
  });

  it.each([
    ["another", "https://other.example"],
    ["another client", "app-2"],
    ["longer", "https://api.example/"],
    ["empty", ""],
    ["an empty list", []],
    ["a list of others", ["https://other.example", 1, null]],
    ["a list that holds the client_id alone", ["app"]],
    ["a list in a list", [["urn:b"]]],
    ["null", null],
    ["a number", 1],
  ])("is refused with an aud that is %s", (_name, resource) => {
    expect(codeFor({ resource }, BOUND)).toBe("invalid_audience");
    expect(codeFor({ caller: "m2m", resource }, BOUND)).toBe("invalid_audience");
  });

  it("of an ID token has nothing to do with resources", () => {
    expect(codeFor({ tokenUse: "id", resource: "https://other.example" }, BOUND)).toBeUndefined();
  });

  it("is refused before resources are looked at", () => {
    expect(codeFor({ clientId: "other", resource: "urn:b" }, BOUND)).toBe("invalid_audience");
  });

  it("is not absent where neither aud nor client_id is one", () => {
    expect(codeFor({ caller: "m2m", clientId: undefined, resource: undefined }, BOUND)).toBeUndefined();
    expect(codeFor({ caller: "m2m", clientId: undefined, resource: "x" }, BOUND)).toBe("invalid_audience");
  });
});

describe("the kind of caller", () => {
  it.each([
    [["user", "m2m"], undefined, undefined],
    [["user"], undefined, "caller_not_allowed"],
    [["m2m"], "caller_not_allowed", undefined],
  ] as const)("of a route for %j", (callers, person, machine) => {
    const route = routeOf({ path: "/x", callers });
    expect(checkCaller(principal({ caller: "user" }), route)?.code).toBe(person);
    expect(checkCaller(principal({ caller: "m2m" }), route)?.code).toBe(machine);
  });
});

describe("role", () => {
  const roles = ["viewer", "admin"];
  const policy = parsedPolicy({ roles, routes: [{ path: "/x" }] });
  const codeFor = (role: string | undefined, lowest?: string) =>
    checkRole(role, routeOf({ path: "/x", ...(lowest && { role: lowest }) }, roles), policy)?.code;

  it("is not asked for where the route names none", () => {
    for (const role of [undefined, "root", "viewer"]) expect(codeFor(role)).toBeUndefined();
  });
  it("is at or above the route's", () => {
    expect(codeFor("admin", "admin")).toBeUndefined();
    expect(codeFor("admin", "viewer")).toBeUndefined();
    expect(codeFor("viewer", "admin")).toBe("insufficient_role");
    expect(codeFor("root", "viewer")).toBe("insufficient_role");
    expect(codeFor(undefined, "viewer")).toBe("insufficient_role");
  });
});

describe("scopes", () => {
  const policy = parsedPolicy({ m2mScope: "zen/m2m", routes: [{ path: "/x" }] });
  const plain = parsedPolicy({ routes: [{ path: "/x" }] });
  const open = routeOf({ path: "/x" });
  const scoped = routeOf({ path: "/x", scopes: ["zen/b", "zen/a"] });

  it("are not asked for where neither policy nor route names any", () => {
    expect(checkScopes(principal(), open, plain)).toBeUndefined();
    expect(checkScopes(principal({ caller: "m2m" }), open, plain)).toBeUndefined();
    expect(checkScopes(principal({ caller: "user" }), open, policy)).toBeUndefined();
  });

  it("hold any one of the route's", () => {
    for (const scopes of [["zen/a"], ["zen/b"], ["openid", "zen/a"]])
      expect(checkScopes(principal({ scopes }), scoped, plain)).toBeUndefined();
    for (const scopes of [[], ["openid"], ["zen/A"], ["zen/a zen/b"]])
      expect(checkScopes(principal({ scopes }), scoped, plain)).toEqual({
        code: "insufficient_scope",
        scopes: ["zen/b", "zen/a"],
      });
  });

  it("of a machine hold the policy's, before the route's are looked at", () => {
    const codeFor = (scopes: string[], route = open) =>
      checkScopes(principal({ caller: "m2m", scopes }), route, policy);
    expect(codeFor(["zen/m2m"])).toBeUndefined();
    expect(codeFor([])).toEqual({ code: "insufficient_scope", scopes: ["zen/m2m"] });
    expect(codeFor(["zen/a"], scoped)).toEqual({ code: "insufficient_scope", scopes: ["zen/m2m"] });
    expect(codeFor(["zen/m2m"], scoped)).toEqual({ code: "insufficient_scope", scopes: ["zen/b", "zen/a"] });
    expect(codeFor(["zen/m2m", "zen/b"], scoped)).toBeUndefined();
  });
});

describe("groups", () => {
  const codeFor = (groups: string[], asked?: string[]) =>
    checkGroups(principal({ groups }), routeOf({ path: "/x", ...(asked && { groups: asked }) }))?.code;

  it("are not asked for where the route names none", () => expect(codeFor([])).toBeUndefined());
  it("hold any one of the route's", () => {
    expect(codeFor(["b"], ["a", "b"])).toBeUndefined();
    expect(codeFor(["x", "a"], ["a", "b"])).toBeUndefined();
    for (const groups of [[], ["x"], ["A"], ["a,b"]])
      expect(codeFor(groups, ["a", "b"])).toBe("insufficient_group");
  });
});
