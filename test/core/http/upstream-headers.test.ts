import { describe, expect, it } from "vitest";
import type { HeaderList } from "../../../src/core/decision.ts";
import {
  editedHeaders,
  type ForwardingFacts,
  type Identity,
  requestHeadBytes,
  requestHeadFits,
  upstreamHeaders,
} from "../../../src/core/http/upstream-headers.ts";
import type { Principal } from "../../../src/core/principal.ts";

const FACTS: ForwardingFacts = {
  requestId: "request-1",
  clientIp: "203.0.113.7",
  scheme: "https",
  host: "api.example",
  originSecret: undefined,
  forwardAuthorization: true,
  keepTenantHeader: false,
};
const OWN = [
  ["x-request-id", "request-1"],
  ["x-forwarded-for", "203.0.113.7"],
  ["x-forwarded-proto", "https"],
  ["x-forwarded-host", "api.example"],
];
const PERSON: Principal = {
  caller: "user",
  sub: "sub-1",
  tokenUse: "id",
  clientId: undefined,
  exp: 0,
  iat: 0,
  nbf: undefined,
  resource: undefined,
  scopes: [],
  groups: [],
  username: undefined,
  tenantClaim: undefined,
  roleClaim: undefined,
  jti: undefined,
  originJti: undefined,
};

/** Every header line that is sent. */
function sent(client: Headers, identity: Identity | undefined, facts: ForwardingFacts): HeaderList {
  const headers = upstreamHeaders(client, identity, facts);
  const lines = editedHeaders(client, headers);
  const passing = lines.slice(0, lines.length - headers.set.length);
  const passingLines = passing.map(([name, value]) => `${name}: ${value}\r\n`);
  expect(headers.passingChars).toBe(passingLines.join("").length);
  return lines;
}
/** What is forwarded of the client's headers, without what the gateway always sets. */
const forwarded = (client: HeadersInit, facts: Partial<ForwardingFacts> = {}): HeaderList => {
  const headers = sent(new Headers(client), undefined, { ...FACTS, ...facts });
  expect(headers.slice(-OWN.length)).toEqual(OWN);
  return headers.slice(0, -OWN.length);
};
/** The identity headers of a caller. */
const identityOf = (principal: Partial<Principal>, rest: Partial<Identity> = {}) =>
  sent(
    new Headers(),
    { principal: { ...PERSON, ...principal }, tenant: undefined, role: undefined, ...rest },
    FACTS,
  ).slice(OWN.length);

describe("headers of the client", () => {
  it("pass by name in lower case, with their values", () => {
    expect(
      forwarded({
        Accept: "application/json, */*",
        "content-type": "text/plain",
        cookie: "a=b; c=d",
        "X-Custom": "1",
        x_custom_2: "2",
        x_auth: "not the prefix",
        "x-authority": "not the prefix",
        "x-forwarded": "not the prefix",
        proxy: "not the prefix",
        forwarded2: "2",
        "x-real-ip": "1",
        "a-x-auth-sub": "not at the start",
      }).map(([name]) => name),
    ).toEqual(
      [
        ...[
          "a-x-auth-sub",
          "accept",
          "content-type",
          "cookie",
          "forwarded2",
          "proxy",
          "x-authority",
          "x-custom",
        ],
        ...["x-forwarded", "x-real-ip", "x_auth", "x_custom_2"],
      ].toSorted(),
    );
    expect(forwarded({ Accept: "application/json, */*" })).toEqual([["accept", "application/json, */*"]]);
  });

  it.each([
    ...["host", "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"],
    ...["proxy-authorization", "proxy-connection", "proxy-authenticate", "proxy-"],
    ...["x-http-method-override", "x-http-method", "x-method-override"],
    ...["forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-client-cert"],
    ...["x-origin-secret", "x-request-id", "x-tenant-id"],
    ...["x-auth-sub", "x-auth-caller", "x-auth-token", "x-auth-anything", "x-auth-"],
  ])("do not pass: %s, in no spelling", (name) => {
    const spellings = new Set([name, name.toUpperCase(), name.replaceAll("-", "_"), name.replace("-", "_")]);
    for (const spelling of spellings) expect(forwarded({ [spelling]: "forged" }), spelling).toEqual([]);
  });

  it("do not pass where Connection names them", () => {
    const client = { connection: "close, X-Hop ,x-other", "x-hop": "1", "x-other": "2", "x-kept": "3" };
    expect(forwarded(client)).toEqual([["x-kept", "3"]]);
    expect(forwarded({ connection: "", "x-kept": "3" })).toEqual([["x-kept", "3"]]);
  });

  it("pass for x-tenant-id as the caller's own word where that is kept", () => {
    expect(forwarded({ "x-tenant-id": "acme" }, { keepTenantHeader: true })).toEqual([
      ["x-tenant-id", "acme"],
    ]);
    expect(forwarded({ x_tenant_id: "acme" }, { keepTenantHeader: true })).toEqual([["x_tenant_id", "acme"]]);
    expect(forwarded({ "x-tenant-id": "acme" }, { keepTenantHeader: false })).toEqual([]);
  });

  it("pass for Authorization unless the origin is not to see it", () => {
    const client = { authorization: "Bearer x" };
    expect(forwarded(client)).toEqual([["authorization", "Bearer x"]]);
    expect(forwarded(client, { forwardAuthorization: false })).toEqual([]);
  });
});

describe("headers of the gateway", () => {
  it("take the place of the client's, each exactly once", () => {
    const client = new Headers({
      "x-request-id": "forged",
      "x-forwarded-for": "10.0.0.1",
      "x-forwarded-proto": "ftp",
      "x-forwarded-host": "evil.example",
      "x-origin-secret": "guess",
    });
    expect(sent(client, undefined, { ...FACTS, originSecret: "s3cret" })).toEqual([
      ...OWN,
      ["x-origin-secret", "s3cret"],
    ]);
  });

  it("name no address where the platform has none", () => {
    expect(sent(new Headers(), undefined, { ...FACTS, clientIp: undefined })).toEqual(
      OWN.filter(([name]) => name !== "x-forwarded-for"),
    );
  });

  it("hold no identity where there is none", () => {
    expect(sent(new Headers(), undefined, FACTS)).toEqual(OWN);
  });

  it("hold all that a person has", () => {
    expect(
      identityOf(
        { clientId: "app", scopes: ["openid", "zen/x"], groups: ["staff", "on call"], username: "ada" },
        { tenant: "acme", role: "admin" },
      ),
    ).toEqual([
      ["x-auth-caller", "user"],
      ["x-auth-sub", "sub-1"],
      ["x-auth-token-use", "id"],
      ["x-auth-tenant-id", "acme"],
      ["x-tenant-id", "acme"],
      ["x-auth-role", "admin"],
      ["x-auth-client-id", "app"],
      ["x-auth-scope", "openid zen/x"],
      ["x-auth-groups", "staff,on%20call"],
      ["x-auth-username", "ada"],
    ]);
  });

  it("hold nothing that a caller does not have", () => {
    expect(identityOf({ caller: "m2m", tokenUse: "access" })).toEqual([
      ["x-auth-caller", "m2m"],
      ["x-auth-sub", "sub-1"],
      ["x-auth-token-use", "access"],
    ]);
    expect(identityOf({ clientId: "", username: "" }, { role: "", tenant: "" })).toHaveLength(3);
  });

  it("hold every item percent-encoded", () => {
    expect(
      identityOf(
        {
          sub: "é",
          clientId: "a,b",
          scopes: ["ü", "b,c"],
          groups: ["a,b", "100%"],
          username: "a b\r\nx-a: b",
        },
        { tenant: "a%c", role: "r ole" },
      ),
    ).toEqual([
      ["x-auth-caller", "user"],
      ["x-auth-sub", "%C3%A9"],
      ["x-auth-token-use", "id"],
      ["x-auth-tenant-id", "a%25c"],
      ["x-tenant-id", "a%25c"],
      ["x-auth-role", "r%20ole"],
      ["x-auth-client-id", "a%2Cb"],
      ["x-auth-scope", "%C3%BC b%2Cc"],
      ["x-auth-groups", "a%2Cb,100%25"],
      ["x-auth-username", "a%20b%0D%0Ax-a:%20b"],
    ]);
  });

  it("hold a plain caller's claims as they are, and percent-encode what are none of them", () => {
    const person = { tenantClaim: "acme", roleClaim: "admin" };
    const rightsOf = (principal: Partial<Principal>, rights: Partial<Identity>): HeaderList =>
      identityOf(principal, { ...rights, isPlain: true }).filter(
        ([name]) => name === "x-tenant-id" || name === "x-auth-role",
      );
    expect(rightsOf(person, { tenant: "acme", role: "admin" })).toEqual([
      ["x-tenant-id", "acme"],
      ["x-auth-role", "admin"],
    ]);
    expect(rightsOf({ caller: "m2m" }, { tenant: "a%c", role: "r ole" })).toEqual([
      ["x-tenant-id", "a%25c"],
      ["x-auth-role", "r%20ole"],
    ]);
    expect(rightsOf(person, { tenant: "acme", role: "r ole" })).toContainEqual(["x-auth-role", "r%20ole"]);
    expect(rightsOf(person, { tenant: "a%c", role: "admin" })).toContainEqual(["x-tenant-id", "a%25c"]);
  });
});

describe("the size of a request's head", () => {
  it("is what HTTP/1.1 spells", () => {
    const head = "GET /a?b HTTP/1.1\r\nhost: o.example\r\naccept: */*\r\nx-a: \r\n";
    const headers: [string, string][] = [
      ["accept", "*/*"],
      ["x-a", ""],
    ];
    expect(requestHeadBytes("GET", "/a?b", "o.example", headers)).toBe(head.length);
    expect(requestHeadBytes("GET", "/", "h", [])).toBe("GET / HTTP/1.1\r\nhost: h\r\n".length);
    expect(requestHeadBytes("DELETE", "/", "h", [])).toBe("DELETE / HTTP/1.1\r\nhost: h\r\n".length);
  });

  it("counts bytes, not characters", () => {
    const sizeOf = (value: string) => requestHeadBytes("GET", "/", "h", [["x", value]]);
    expect(sizeOf("é") - sizeOf("e")).toBe(1);
    expect(sizeOf("aé€")).toBe(sizeOf("123456"));
    expect(sizeOf("\u007f")).toBe(sizeOf("a"));
    expect(sizeOf("\u0080")).toBe(sizeOf("ab"));
    expect(sizeOf("\u0000")).toBe(sizeOf("a"));
  });

  it("fits up to the limit, and not a byte beyond, however many there are", () => {
    for (const value of ["", "a".repeat(5000), "é".repeat(5000), "€".repeat(5000)]) {
      const client = new Headers({ "x-a": value.replaceAll("€", "é"), "x-forwarded-for": "removed" });
      const headers = upstreamHeaders(client, undefined, { ...FACTS, requestId: value });
      const fits = (limit: number) => requestHeadFits("POST", "/a?b", "o.example", client, headers, limit);
      const bytes = requestHeadBytes("POST", "/a?b", "o.example", editedHeaders(client, headers));
      expect(fits(bytes)).toBe(true);
      expect(fits(bytes - 1)).toBe(false);
      expect(fits(bytes * 4)).toBe(true);
    }
  });
});
