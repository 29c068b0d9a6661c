import { describe, expect, it } from "vitest";
import { type AuditRecord, auditRecord, type Ending } from "../../src/core/audit.ts";
import { type Decision, refuse } from "../../src/core/decision.ts";
import { refusal } from "../../src/core/errors.ts";
import { createExchange, type Exchange } from "../../src/core/exchange.ts";
import type { Principal } from "../../src/core/principal.ts";
import { routeOf } from "./policy/tables.ts";

const UPSTREAM = {
  method: "GET",
  url: "https://origin.example/v1/secret-path?secret-query",
  headers: { remove: ["secret-name"], set: [["authorization", "secret-token"]] as const },
  baseUrl: "https://origin.example",
  basePath: "",
};
const FORWARD: Decision = { kind: "forward", upstream: UPSTREAM };
const ENDING: Ending = { decision: FORWARD, status: 200, edgeMs: 1.5 };

const PRINCIPAL: Principal = {
  caller: "m2m",
  sub: "machine-1",
  tokenUse: "access",
  clientId: "machine-2",
  exp: 2,
  iat: 1,
  nbf: undefined,
  resource: "secret-resource",
  scopes: ["secret-scope"],
  groups: ["secret-group"],
  username: "secret-name",
  tenantClaim: "secret-claim",
  roleClaim: "secret-role",
  jti: "secret-jti",
  originJti: undefined,
};

const begin = (): Exchange =>
  createExchange({
    method: "POST",
    url: "https://api.example/v1/secret-path?secret-query",
    headers: new Headers({
      "x-request-id": "request-1",
      cookie: "secret-cookie",
      "x-tenant-id": "secret-tenant",
    }),
    clientIp: "203.0.113.7",
  });

const known = (): Exchange => {
  const exchange = begin();
  exchange.route = routeOf({ path: "/v1/:x" });
  exchange.tenant = "acme";
  exchange.verification = {
    layer: "kv",
    token: {
      principal: PRINCIPAL,
      isPlain: true,
      kid: "kid-1",
      issuer: "https://id.example",
      key: {} as CryptoKey,
      pool: { id: "us-east-2_A", clientIds: new Set(), issuers: [] },
    },
  };
  return exchange;
};

const NOTHING: Omit<AuditRecord, "decision" | "status"> = {
  event: "decision",
  request_id: "request-1",
  method: "POST",
  route: undefined,
  error: undefined,
  would_have: undefined,
  caller: undefined,
  sub: undefined,
  tenant: undefined,
  client_id: undefined,
  kid: undefined,
  token_use: undefined,
  jwks: undefined,
  edge_ms: 1.5,
  origin_ms: undefined,
  colo: undefined,
};

describe("the log line", () => {
  it("of a request of which nothing is known says so", () => {
    const ending = { ...ENDING, decision: refuse(refusal("missing_token")), status: 401 };
    expect(auditRecord(begin(), ending)).toEqual({
      ...NOTHING,
      decision: "refuse",
      error: "missing_token",
      status: 401,
    });
  });

  it("holds all that is known and may be logged", () => {
    expect(auditRecord(known(), { ...ENDING, originMs: 12, colo: "FRA" })).toEqual({
      event: "decision",
      request_id: "request-1",
      method: "POST",
      route: "/v1/:x",
      decision: "forward",
      error: undefined,
      would_have: undefined,
      status: 200,
      caller: "m2m",
      sub: "machine-1",
      tenant: "acme",
      client_id: "machine-2",
      kid: "kid-1",
      token_use: "access",
      jwks: "kv",
      edge_ms: 1.5,
      origin_ms: 12,
      colo: "FRA",
    });
  });

  it("holds no path, query, header or other claim", () => {
    expect(JSON.stringify(auditRecord(known(), ENDING))).not.toContain("secret");
  });

  it("names the refusal that report mode did not make", () => {
    const decision: Decision = { kind: "report", upstream: UPSTREAM, wouldHave: "token_expired" };
    expect(auditRecord(begin(), { ...ENDING, decision })).toEqual({
      ...NOTHING,
      decision: "report",
      would_have: "token_expired",
      status: 200,
    });
    expect(
      auditRecord(begin(), { ...ENDING, decision, status: 502, error: "origin_unreachable" }),
    ).toMatchObject({
      decision: "refuse",
      error: "origin_unreachable",
      would_have: "token_expired",
      status: 502,
    });
  });

  it("names an answer of the gateway's own", () => {
    const decision: Decision = { kind: "answer", answer: { status: 204, headers: [], body: null } };
    expect(auditRecord(begin(), { ...ENDING, decision, status: 204 })).toEqual({
      ...NOTHING,
      decision: "answer",
      status: 204,
    });
  });

  it("calls it a refusal where the forwarding failed", () => {
    expect(auditRecord(begin(), { ...ENDING, status: 504, error: "origin_timeout" })).toEqual({
      ...NOTHING,
      decision: "refuse",
      error: "origin_timeout",
      status: 504,
    });
    const decision = refuse(refusal("missing_token"));
    expect(auditRecord(begin(), { ...ENDING, decision, error: "internal_error" })).toMatchObject({
      decision: "refuse",
      error: "internal_error",
    });
  });
});
