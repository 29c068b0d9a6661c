import type { JWK } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type FaultyGateway, startFaultyGateway } from "../support/faults.ts";
import { startCognito, startOrigin, type TestServer } from "../support/servers.ts";
import { createSigningKey, idClaims, machineClaims, type SigningKey, sign } from "../support/tokens.ts";

let keys: readonly SigningKey[];
let published: readonly JWK[];
let origin: TestServer;
let cognito: TestServer;
let gateway: FaultyGateway;
let issuer: string;
/** How far the tests have moved the gateway's clock. */
let advancedMs = 0;

const now = (): number => Math.floor((Date.now() + advancedMs) / 1000);

beforeAll(async () => {
  keys = await Promise.all(["k1", "k2"].map((kid) => createSigningKey(kid)));
  published = keys.map(({ jwk }) => jwk);
  [origin, cognito] = await Promise.all([startOrigin(), startCognito(() => published)]);
  issuer = `${cognito.url}/us-east-2_Known1`;
  gateway = await startFaultyGateway({
    policy: {
      roles: ["viewer", "admin"],
      m2mScope: "zen/m2m",
      routes: [
        { path: "/admin/*", role: "admin" },
        { path: "/t/:tenantId/*", tenantParam: "tenantId" },
        { path: "/people/*", callers: ["user"], tokenUse: ["access"] },
        { path: "/v1/*" },
      ],
    },
    namespaces: ["JWKS", "M2M_TENANTS", "REVOCATIONS"],
    vars: {
      ORIGIN_URL: origin.url,
      USER_POOLS: [
        {
          id: "us-east-2_Known1",
          client_ids: ["app-client"],
          issuers: [{ issuer, jwks_url: `${issuer}/jwks.json` }],
        },
      ],
    },
  });
});

afterAll(async () => {
  await gateway.close();
  await Promise.all([origin.close(), cognito.close()]);
});

async function advance(ms: number): Promise<void> {
  advancedMs += ms;
  await gateway.advance(ms);
}

const person = (overrides = {}, key = keys[0]): Promise<string> => {
  if (key === undefined) throw new Error("no key");
  return sign(key, idClaims(issuer, now(), { "custom:role": "viewer", exp: now() + 500_000, ...overrides }));
};
const machine = (clientId: string): Promise<string> => {
  const [key] = keys;
  if (key === undefined) throw new Error("no key");
  const claims = { sub: clientId, client_id: clientId, exp: now() + 500_000 };
  return sign(key, machineClaims(issuer, now(), claims));
};

/** `200`, or the code of the refusal. */
async function call(token: string, path = "/v1/x", tenant?: string): Promise<string> {
  const headers = {
    authorization: `Bearer ${token}`,
    ...(tenant !== undefined && { "x-tenant-id": tenant }),
  };
  const response = await gateway.fetch(path, { headers });
  return /"error":"(\w+)"/.exec(await response.text())?.[1] ?? String(response.status);
}

/** Makes a token one that the isolate has verified, and has seen again. */
async function makeKnown(token: string, tenant?: string): Promise<void> {
  for (let again = 0; again < 3; again += 1) expect(await call(token, "/v1/x", tenant)).toBe("200");
}

/** Has the gateway ask Cognito at once, as an unknown kid does: what it knows of tokens is younger than that. */
async function askForKeys(): Promise<void> {
  const stranger = await createSigningKey("nobody");
  expect(await call(await person({}, stranger))).toBe("invalid_signature");
}

describe("a token that the isolate knows", () => {
  const REVOCATIONS: readonly (readonly [name: string, claims: Record<string, string>])[] = [
    ["jti:j-1", { jti: "j-1" }],
    ["origin_jti:o-1", { origin_jti: "o-1" }],
    ["sub:s-1", { sub: "s-1" }],
    ["client:app-client", {}],
    ["tenant:t-1", { "custom:tenant_id": "t-1" }],
    ["kid:k1", {}],
  ];
  it.each(REVOCATIONS)(
    "is refused once %s is revoked, and passes again once it is not",
    async (name, claims) => {
      const token = await person(claims);
      await makeKnown(token);
      const revocations = await gateway.kv("REVOCATIONS");
      await revocations.put(name, "", { metadata: {} });
      await advance(31_000);
      for (let again = 0; again < 2; again += 1) expect(await call(token)).toBe("token_revoked");
      await revocations.delete(name);
      await advance(31_000);
      expect(await call(token)).toBe("200");
    },
  );

  it("is refused where it was issued before a revocation's time, one issued at that second passes", async () => {
    const revokedAt = now();
    const [older, newer] = [
      await person({ sub: "s-2", iat: revokedAt - 1 }),
      await person({ sub: "s-2", iat: revokedAt }),
    ];
    await makeKnown(older);
    await makeKnown(newer);
    const revocations = await gateway.kv("REVOCATIONS");
    await revocations.put("sub:s-2", "", { metadata: { before: revokedAt } });
    await advance(31_000);
    expect(await call(older)).toBe("token_revoked");
    expect(await call(newer)).toBe("200");
    await revocations.delete("sub:s-2");
  });

  it("is judged anew on each request: by route, role, tenant and token use", async () => {
    const token = await person();
    await makeKnown(token);
    expect(await call(token, "/admin/x")).toBe("insufficient_role");
    expect(await call(token, "/people/x")).toBe("invalid_token_use");
    expect(await call(token, "/t/globex/x")).toBe("tenant_mismatch");
    expect(await call(token, "/v1/x", "globex")).toBe("tenant_mismatch");
    expect(await call(token, "/t/acme/x")).toBe("200");
  });

  it("ends with its exp", async () => {
    const token = await person({ exp: now() + 60 });
    await makeKnown(token);
    await advance(61_000);
    expect(await call(token)).toBe("token_expired");
  });

  it("is not known by a part of it: another last character, payload or signature is another token", async () => {
    const [mine, other] = [await person({ sub: "mine" }), await person({ sub: "other" })];
    await makeKnown(mine);
    await makeKnown(other);
    const [header, payload, signature = ""] = mine.split(".");
    const [, otherPayload, otherSignature] = other.split(".");
    const turned = signature.startsWith("A") ? `B${signature.slice(1)}` : `A${signature.slice(1)}`;
    for (const token of [
      `${header}.${otherPayload}.${signature}`,
      `${header}.${payload}.${otherSignature}`,
      `${header}.${payload}.${turned}`,
    ])
      expect(await call(token)).toBe("invalid_signature");
    expect(await call(`${mine}A`)).toBe("invalid_signature");
    expect(await call(`${mine}=`)).toBe("malformed_token");
    expect(await call(mine)).toBe("200");
  });

  it("of a machine is refused once its list is cut, disabled, gone or malformed", async () => {
    const lists = await gateway.kv("M2M_TENANTS");
    const token = await machine("machine-1");
    for (const [text, code] of [
      ['{"tenants":["globex"]}', "tenant_not_allowed"],
      ['{"tenants":["acme"],"disabled":true}', "tenant_not_allowed"],
      ["[]", "tenant_not_allowed"],
      [undefined, "tenant_not_allowed"],
      ['{"tenants":"acme"}', "allowlist_unavailable"],
    ] as const) {
      await lists.put("machine-1", '["acme"]');
      await advance(31_000);
      await makeKnown(token, "acme");
      if (text === undefined) await lists.delete("machine-1");
      else await lists.put("machine-1", text);
      await advance(31_000);
      expect(await call(token, "/v1/x", "acme"), text).toBe(code);
    }
  });

  it("is refused once Cognito has withdrawn its key, and the other key's tokens are not", async () => {
    const [first, second] = [await person({}, keys[0]), await person({}, keys[1])];
    await advance(11_000);
    await makeKnown(first);
    await makeKnown(second);
    published = published.slice(1);
    await askForKeys();
    for (let again = 0; again < 2; again += 1) expect(await call(first)).toBe("invalid_signature");
    expect(await call(second)).toBe("200");
  });

  it("is refused once another key stands under its kid, and the new key's tokens pass", async () => {
    const replacement = await createSigningKey("k2");
    const older = await person({}, keys[1]);
    await advance(11_000);
    await makeKnown(older);
    keys = [...keys.slice(0, 1), replacement];
    published = [replacement.jwk];
    const newer = await person({}, replacement);
    await askForKeys();
    expect(await call(newer)).toBe("200");
    for (let again = 0; again < 2; again += 1) expect(await call(older)).toBe("invalid_signature");
  });
});

describe("names that every object has", () => {
  it("are a kid, a client, a tenant, a role, a scope and a group like any other: unknown ones", async () => {
    for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty", "valueOf"]) {
      const overrides = { "custom:role": name, scope: name, "cognito:groups": [name], sub: name, jti: name };
      const token = await person(overrides, keys[1]);
      expect(await call(token), name).toBe("200");
      expect(await call(token, "/admin/x"), name).toBe("insufficient_role");
      expect(await call(token, "/v1/x", name), name).toBe("tenant_mismatch");
      expect(await call(token, `/${name}/x`), name).toBe("route_not_found");
      expect(await call(await person({ aud: name }, keys[1])), name).toBe("invalid_audience");
      const ownTenant = await person({ "custom:tenant_id": name }, keys[1]);
      expect(await call(ownTenant, `/t/${name}/x`), name).toBe("200");
      expect(origin.last().headers["x-tenant-id"]).toBe(name);
    }
  });
});
