import { describe, expect, it } from "vitest";
import type { Refusal } from "../../src/core/errors.ts";
import { isTenant, type Principal, readPrincipal, type VerifiedClaims } from "../../src/core/principal.ts";
import { parsedPolicy } from "./policy/tables.ts";

const POLICY = parsedPolicy({ routes: [{ path: "/*" }] });
const BASE = { sub: "sub-1", exp: 2000, iat: 1000, token_use: "id" };
const PERSON = { ...BASE, token_use: "access", client_id: "app", username: "ada" };
const MACHINE = { ...BASE, token_use: "access", sub: "client-1", client_id: "client-1" };

const read = (claims: VerifiedClaims, policy = POLICY) => readPrincipal(claims, policy);
const principalOf = (claims: VerifiedClaims, policy = POLICY): Principal => {
  const principal = read(claims, policy);
  if ("code" in principal) throw new Error(principal.code);
  return principal;
};
/** What is read while every object has this member. */
function readWithInherited(name: string, value: unknown, claims: VerifiedClaims): Principal | Refusal {
  Object.defineProperty(Object.prototype, name, { value, configurable: true });
  try {
    return read(claims);
  } finally {
    Reflect.deleteProperty(Object.prototype, name);
  }
}
const callerOf = (claims: VerifiedClaims) => principalOf(claims).caller;

describe("a principal", () => {
  it("of an ID token holds what it says", () => {
    expect(
      principalOf({
        ...BASE,
        nbf: 900.5,
        aud: "app",
        client_id: "not looked at",
        username: "not looked at",
        "cognito:username": "ada",
        "cognito:groups": ["staff", "on call"],
        "custom:tenant_id": "acme",
        "custom:role": "admin",
        scope: "openid  zen/x ",
        jti: "jti-1",
        origin_jti: "jti-0",
      }),
    ).toEqual({
      caller: "user",
      sub: "sub-1",
      tokenUse: "id",
      clientId: "app",
      exp: 2000,
      iat: 1000,
      nbf: 900.5,
      resource: undefined,
      scopes: ["openid", "zen/x"],
      groups: ["staff", "on call"],
      username: "ada",
      tenantClaim: "acme",
      roleClaim: "admin",
      jti: "jti-1",
      originJti: "jti-0",
    });
  });

  it("of a person's access token holds what it says", () => {
    expect(
      principalOf({
        ...PERSON,
        aud: ["https://api.example"],
        "cognito:username": "not looked at",
        "custom:tenant_id": "acme",
        "custom:role": "admin",
      }),
    ).toEqual({
      caller: "user",
      sub: "sub-1",
      tokenUse: "access",
      clientId: "app",
      exp: 2000,
      iat: 1000,
      nbf: undefined,
      resource: ["https://api.example"],
      scopes: [],
      groups: [],
      username: "ada",
      tenantClaim: "acme",
      roleClaim: "admin",
      jti: undefined,
      originJti: undefined,
    });
  });

  it("of a machine has neither tenant nor role from its token", () => {
    const claims = { ...MACHINE, "custom:tenant_id": "acme", "custom:role": "admin", scope: "zen/m2m" };
    expect(principalOf(claims)).toMatchObject({
      caller: "m2m",
      sub: "client-1",
      clientId: "client-1",
      username: undefined,
      tenantClaim: undefined,
      roleClaim: undefined,
      scopes: ["zen/m2m"],
    });
  });

  it("has tenant and role from the claims that the policy names", () => {
    const policy = parsedPolicy({ tenantClaim: "tenant", roleClaim: "role", routes: [{ path: "/*" }] });
    const claims = { ...BASE, tenant: "acme", role: "admin" };
    expect(principalOf(claims, policy)).toMatchObject({ tenantClaim: "acme", roleClaim: "admin" });
    const others = { ...BASE, "custom:tenant_id": "acme", "custom:role": "admin" };
    expect(principalOf(others, policy)).toMatchObject({ tenantClaim: undefined, roleClaim: undefined });
  });
});

describe("a machine", () => {
  it("has an access token whose sub is its client_id, and no username", () =>
    expect(callerOf(MACHINE)).toBe("m2m"));
  it.each([
    ["an ID token, whatever it says", { ...MACHINE, token_use: "id" }],
    ["an ID token for itself", { ...MACHINE, token_use: "id", aud: "client-1" }],
    ["another sub", { ...MACHINE, sub: "client-2" }],
    ["no client_id", { ...MACHINE, client_id: undefined }],
    ["an empty client_id", { ...MACHINE, client_id: "" }],
    ["a username", { ...MACHINE, username: "ada" }],
    ["a username that is empty", { ...MACHINE, username: "" }],
    ["a username that is null", { ...MACHINE, username: null }],
    ["an unknown token_use", { ...MACHINE, token_use: "Access" }],
  ])("is not what has %s", (_name, claims) => {
    expect(callerOf(claims)).toBe("user");
  });
});

describe("claims", () => {
  it.each([
    ["exp", undefined],
    ["exp", "2000"],
    ["exp", null],
    ["exp", Number.NaN],
    ["exp", Number.POSITIVE_INFINITY],
    ["iat", undefined],
    ["iat", "1000"],
    ["iat", Number.NEGATIVE_INFINITY],
    ["nbf", "1000"],
    ["nbf", null],
    ["nbf", Number.NaN],
    ["sub", undefined],
    ["sub", ""],
    ["sub", 1],
    ["sub", ["sub-1"]],
    ["token_use", undefined],
    ["token_use", null],
    ["token_use", ["id"]],
  ])("are invalid with %s %j", (name, value) => {
    expect(read({ ...BASE, [name]: value })).toEqual({ code: "invalid_claims" });
  });

  it("are invalid where one is only inherited", () => {
    for (const name of Object.keys(BASE)) {
      const { [name as keyof typeof BASE]: value, ...rest } = BASE;
      expect(readWithInherited(name, value, rest), name).toEqual({ code: "invalid_claims" });
    }
  });

  const COMMON = {
    nbf: 900,
    scope: "zen/x",
    "cognito:groups": ["staff"],
    "custom:tenant_id": "acme",
    "custom:role": "admin",
    jti: "jti-1",
    origin_jti: "jti-0",
  };
  it.each([
    ["an ID token", { ...BASE, ...COMMON, aud: "app", "cognito:username": "ada" }],
    ["an access token", { ...PERSON, ...COMMON, aud: "https://api.example" }],
    ["a machine's token", { ...MACHINE, ...COMMON }],
  ])("of %s are its own, whatever every other object has, too", (_name, full) => {
    const claims: Readonly<Record<string, unknown>> = full;
    for (const name of Object.keys(claims)) {
      const { [name]: value, ...rest } = claims;
      expect(readWithInherited(name, value, rest), name).toEqual(read(rest));
      for (const inherited of [value, "another", null])
        expect(readWithInherited(name, inherited, claims), name).toEqual(read(claims));
    }
  });

  it("are valid with fractions, zero and negative times, and any token_use that is a string", () => {
    expect(read({ ...BASE, exp: 0.5, iat: 0, nbf: -1 })).toMatchObject({ exp: 0.5, iat: 0, nbf: -1 });
    expect(read({ ...BASE, token_use: "" })).toMatchObject({ tokenUse: "" });
    expect(read({ ...BASE, token_use: "refresh" })).toMatchObject({ tokenUse: "refresh", caller: "user" });
  });

  it.each([
    ["aud", ["app"], "clientId", undefined],
    ["aud", "", "clientId", undefined],
    ["aud", 1, "clientId", undefined],
    ["cognito:username", 1, "username", undefined],
    ["cognito:username", "", "username", undefined],
    ["custom:role", "", "roleClaim", undefined],
    ["custom:role", ["admin"], "roleClaim", undefined],
    ["custom:tenant_id", ["acme"], "tenantClaim", undefined],
    ["custom:tenant_id", "a,b", "tenantClaim", undefined],
    ["jti", 1, "jti", undefined],
    ["jti", "", "jti", undefined],
    ["origin_jti", {}, "originJti", undefined],
    ["scope", ["a"], "scopes", []],
    ["scope", "", "scopes", []],
    ["scope", " ", "scopes", []],
    ["scope", " a  b ", "scopes", ["a", "b"]],
    ["scope", "a\tb", "scopes", ["a\tb"]],
    ["cognito:groups", "staff", "groups", []],
    ["cognito:groups", ["a", 1, "", null, "b"], "groups", ["a", "b"]],
    ["cognito:groups", [], "groups", []],
  ])("give %s %j as %s %j", (name, value, member, expected) => {
    expect(principalOf({ ...BASE, [name]: value })[member as keyof Principal]).toEqual(expected);
  });

  it("give an access token's aud as it stands, and an ID token's not as a resource", () => {
    expect(principalOf({ ...PERSON, aud: null }).resource).toBeNull();
    expect(principalOf({ ...PERSON, aud: "x" }).resource).toBe("x");
    expect(principalOf(PERSON).resource).toBeUndefined();
    expect(principalOf({ ...BASE, aud: "app" }).resource).toBeUndefined();
  });
});

describe("a tenant", () => {
  it.each([["a"], ["x".repeat(128)], ["!\"#$%&'()*+-./09:;<=>?@AZ[\\]^_`az{|}~"], ["-"], ["*"]])(
    "can be %j",
    (value) => expect(isTenant(value)).toBe(true),
  );
  it.each([
    [""],
    ["x".repeat(129)],
    [","],
    ["a,b"],
    [" "],
    ["a b"],
    ["\u007f"],
    ["a\u0080"],
    ["é"],
    ["a\n"],
    ["\u0000"],
    [undefined],
    [null],
    [1],
    [["a"]],
  ])("cannot be %j", (value) => expect(isTenant(value)).toBe(false));
});
