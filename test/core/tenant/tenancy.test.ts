import { describe, expect, it } from "vitest";
import { isRefusal } from "../../../src/core/errors.ts";
import { compilePolicy } from "../../../src/core/policy/define.ts";
import type { CompiledRoute } from "../../../src/core/policy/schema.ts";
import type { Principal } from "../../../src/core/principal.ts";
import { createAllowLists } from "../../../src/core/tenant/allow-list.ts";
import { resolveTenancy, type Tenancy } from "../../../src/core/tenant/tenancy.ts";
import { createFakeScope } from "../../support/fake-scope.ts";

const PERSON: Partial<Principal> = { caller: "user", sub: "ada", roleClaim: "agent" };
const MACHINE: Partial<Principal> = {
  caller: "m2m",
  sub: "machine-1",
  tenantClaim: "acme",
  roleClaim: "owner",
};

interface Case {
  readonly principal: Partial<Principal>;
  readonly route?: { readonly tenant?: boolean; readonly tenantParam?: string };
  readonly header?: string | null;
  /** The path parameter's value. */
  readonly named?: string;
  /** The whole path, where it is not the usual one. */
  readonly segments?: readonly string[];
  /** Text of the machine's list; undefined: reading it fails. */
  readonly list?: string | null | undefined;
}

function routeOf({ route = {} }: Case): CompiledRoute {
  const policy = compilePolicy({ roles: ["agent"], routes: [{ path: "/v1/:tenantId/*", ...route }] });
  const compiled = policy.ok ? policy.value.routes[0] : undefined;
  if (compiled === undefined) throw new Error("policy has a fault");
  return compiled;
}

/** What was read is told beside the outcome, since a read that is not needed is one too many. */
async function resolve(given: Case): Promise<{ outcome: Tenancy | string; reads: string[] }> {
  const reads: string[] = [];
  const sources = {
    allowLists: createAllowLists(),
    readAllowList: async (clientId: string) => {
      reads.push(clientId);
      if (given.list === undefined) throw new Error("down");
      return given.list;
    },
  };
  const segments = given.segments ?? ["v1", given.named ?? "acme", "x"];
  const scope = createFakeScope(0);
  const principal = given.principal as Principal;
  const header = given.header ?? null;
  const outcome = await resolveTenancy(principal, routeOf(given), segments, header, sources, scope);
  return { outcome: isRefusal(outcome) ? outcome.code : outcome, reads };
}

const outcomeOf = async (given: Case): Promise<Tenancy | string> => (await resolve(given)).outcome;

describe("a person", () => {
  const acme: Tenancy = { tenant: "acme", role: "agent" };
  const none: Tenancy = { tenant: undefined, role: "agent" };
  for (const [tenantClaim, needed, header, outcome] of [
    ["acme", true, null, acme],
    ["acme", true, "acme", acme],
    ["acme", true, "globex", "tenant_mismatch"],
    ["acme", true, "Acme", "tenant_mismatch"],
    ["acme", true, "acme, acme", "tenant_mismatch"],
    ["acme", true, "*", "tenant_mismatch"],
    ["acme", false, null, acme],
    ["acme", false, "acme", acme],
    ["acme", false, "globex", "tenant_mismatch"],
    [undefined, true, null, "missing_tenant_claim"],
    [undefined, true, "acme", "missing_tenant_claim"],
    [undefined, false, null, none],
    [undefined, false, "acme", "tenant_mismatch"],
  ] as const)
    it(`of ${tenantClaim}, tenant ${needed}, x-tenant-id ${header}: ${JSON.stringify(outcome)}`, async () => {
      const principal = { ...PERSON, tenantClaim };
      expect(await resolve({ principal, route: { tenant: needed }, header, list: '["*"]' })).toEqual({
        outcome,
        reads: [],
      });
    });

  it("without a role claim has no role", async () => {
    const principal = { ...PERSON, tenantClaim: "acme", roleClaim: undefined };
    expect(await outcomeOf({ principal })).toEqual({ tenant: "acme", role: undefined });
  });
});

describe("a machine", () => {
  const acme: Tenancy = { tenant: "acme", role: "agent" };
  const none: Tenancy = { tenant: undefined, role: "agent" };
  const LIST = '{"tenants":["acme","globex"],"role":"agent"}';
  const ANY = '{"tenants":["*"],"role":"agent"}';
  for (const [list, needed, header, outcome] of [
    [LIST, true, "acme", acme],
    [LIST, true, "globex", { ...acme, tenant: "globex" }],
    [LIST, true, "initech", "tenant_not_allowed"],
    [LIST, true, "ACME", "tenant_not_allowed"],
    [LIST, true, "*", "tenant_not_allowed"],
    [LIST, false, "acme", acme],
    [LIST, false, "initech", "tenant_not_allowed"],
    [LIST, false, null, none],
    [ANY, true, "anything", { ...acme, tenant: "anything" }],
    [ANY, false, null, none],
    ['["acme"]', true, "acme", { tenant: "acme", role: undefined }],
    ['["acme"]', false, null, { tenant: undefined, role: undefined }],
    ["[]", true, "acme", "tenant_not_allowed"],
    ["[]", false, "acme", "tenant_not_allowed"],
    ["[]", false, null, "tenant_not_allowed"],
    [null, true, "acme", "tenant_not_allowed"],
    [null, false, null, "tenant_not_allowed"],
    ['{"tenants":["*"],"disabled":true}', true, "acme", "tenant_not_allowed"],
    ['{"tenants":["*"],"disabled":true}', false, null, "tenant_not_allowed"],
    ["{", true, "acme", "allowlist_unavailable"],
    ["", true, "acme", "allowlist_unavailable"],
    ["{", false, null, "allowlist_unavailable"],
    [undefined, true, "acme", "allowlist_unavailable"],
    [undefined, false, null, "allowlist_unavailable"],
  ] as const)
    it(`with ${list}, tenant ${needed}, x-tenant-id ${header}: ${JSON.stringify(outcome)}`, async () => {
      expect(await resolve({ principal: MACHINE, route: { tenant: needed }, header, list })).toEqual({
        outcome,
        reads: ["machine-1"],
      });
    });

  for (const needed of [true, false])
    for (const header of ["acme,globex", "acme, acme", " acme", "a b", "é", "x".repeat(129)])
      it(`with the header ${JSON.stringify(header.slice(0, 12))}, tenant ${needed}, names no one tenant, and its list is not read`, async () => {
        expect(await resolve({ principal: MACHINE, route: { tenant: needed }, header, list: ANY })).toEqual({
          outcome: "missing_tenant_header",
          reads: [],
        });
      });

  it("without the header must name a tenant where the route needs one, and its list is not read", async () => {
    expect(await resolve({ principal: MACHINE, list: ANY })).toEqual({
      outcome: "missing_tenant_header",
      reads: [],
    });
  });

  it("may name a tenant of 128 characters", async () => {
    const header = "x".repeat(128);
    expect(await outcomeOf({ principal: MACHINE, header, list: ANY })).toEqual({ ...acme, tenant: header });
  });
});

describe("tenantParam", () => {
  const route = { tenantParam: "tenantId" };

  for (const [named, outcome] of [
    ["acme", { tenant: "acme", role: "agent" }],
    ["globex", "tenant_mismatch"],
    ["ACME", "tenant_mismatch"],
    ["", "tenant_mismatch"],
  ] as const) {
    it(`${JSON.stringify(named)} for a person of acme: ${JSON.stringify(outcome)}`, async () => {
      expect(await outcomeOf({ principal: { ...PERSON, tenantClaim: "acme" }, route, named })).toEqual(
        outcome,
      );
    });
    it(`${JSON.stringify(named)} for a machine that acts for acme: ${JSON.stringify(outcome)}`, async () => {
      const list = '{"tenants":["acme","globex"],"role":"agent"}';
      expect(await outcomeOf({ principal: MACHINE, route, header: "acme", named, list })).toEqual(outcome);
    });
  }

  it("lets in nobody without a tenant, though the route needs none", async () => {
    const open = { ...route, tenant: false };
    expect(await outcomeOf({ principal: PERSON, route: open })).toBe("tenant_mismatch");
    expect(await outcomeOf({ principal: MACHINE, route: open, list: '["*"]' })).toBe("tenant_mismatch");
    expect(await outcomeOf({ principal: PERSON, route: open, named: "undefined" })).toBe("tenant_mismatch");
  });

  it("that the path does not have is no caller's tenant, not even where there is none", async () => {
    const given = { principal: PERSON, route: { ...route, tenant: false }, segments: ["v1"] };
    expect(await outcomeOf(given)).toBe("tenant_mismatch");
  });

  it("is looked at after the caller's own tenant: that refusal comes first", async () => {
    expect(await outcomeOf({ principal: PERSON, route, named: "globex" })).toBe("missing_tenant_claim");
    const machine = { principal: MACHINE, route, named: "globex" };
    expect(await outcomeOf({ ...machine, header: "initech", list: '["acme"]' })).toBe("tenant_not_allowed");
    expect(await outcomeOf({ ...machine, list: '["acme"]' })).toBe("missing_tenant_header");
  });

  it("is not looked at where the route names none", async () => {
    expect(await outcomeOf({ principal: { ...PERSON, tenantClaim: "acme" }, named: "globex" })).toEqual({
      tenant: "acme",
      role: "agent",
    });
  });
});
