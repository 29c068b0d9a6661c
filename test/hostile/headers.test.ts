import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { type RawResponse, sendBytes, sendRequest } from "../support/raw-tcp.ts";
import { type Received, startCognito, startOrigin, type TestServer } from "../support/servers.ts";
import { createSigningKey, idClaims, machineClaims, type SigningKey, sign } from "../support/tokens.ts";
import { HOSTILE_NAMES, spell } from "./hostile-headers.ts";

const SECRET = "origin-proof-1";

let origin: TestServer;
let cognito: TestServer;
let gateway: TestGateway;
let key: SigningKey;
let issuer: string;
let person: string;
let machine: string;

const now = (): number => Math.floor(Date.now() / 1000);

beforeAll(async () => {
  key = await createSigningKey("k1");
  [origin, cognito] = await Promise.all([startOrigin(), startCognito(() => [key.jwk])]);
  issuer = `${cognito.url}/us-east-2_Head1`;
  gateway = await startGateway({
    policy: {
      roles: ["viewer", "admin"],
      routes: [
        { path: "/pub/*", access: "public" },
        { path: "/report/*", role: "admin", mode: "report" },
        { path: "/v1/*" },
      ],
    },
    vars: {
      ORIGIN_URL: origin.url,
      ORIGIN_SECRET: SECRET,
      USER_POOLS: [
        {
          id: "us-east-2_Head1",
          client_ids: ["app-client"],
          issuers: [{ issuer, jwks_url: `${issuer}/jwks.json` }],
        },
      ],
    },
  });
  await (await gateway.kv("M2M_TENANTS")).put("machine-1", '{"tenants":["acme","globex"],"role":"viewer"}');
  [person, machine] = await Promise.all([
    sign(key, idClaims(issuer, now(), { "cognito:groups": ["g1", "g2"] })),
    sign(key, machineClaims(issuer, now())),
  ]);
});

afterAll(async () => {
  await gateway.close();
  await Promise.all([origin.close(), cognito.close()]);
});

interface Seen {
  readonly response: RawResponse;
  readonly code: string | undefined;
  readonly received: Received | undefined;
}

async function send(path: string, lines: readonly string[], method = "GET"): Promise<Seen> {
  const before = origin.received.length;
  const response = await sendRequest(gateway.url, path, lines, method);
  const arrived = origin.received.slice(before);
  expect(arrived.length).toBeLessThanOrEqual(1);
  return { response, code: /"error":"(\w+)"/.exec(response.body)?.[1], received: arrived[0] };
}

const valuesOf = (received: Received, folded: string): string[] =>
  received.rawHeaders.filter(([name]) => name.replaceAll("_", "-") === folded).map(([, value]) => value);

/** Identity headers in whatever spelling, by their folded name. */
function identityOf(received: Received): Record<string, string> {
  const lines = received.rawHeaders
    .map(([name, value]) => [name.replaceAll("_", "-"), value] as const)
    .filter(([name]) => name.startsWith("x-auth-"));
  expect(new Set(lines.map(([name]) => name)).size, "each identity header once").toBe(lines.length);
  return Object.fromEntries(lines);
}

const PERSON = {
  "x-auth-caller": "user",
  "x-auth-sub": "b1c2d3e4-0000-4000-8000-000000000001",
  "x-auth-token-use": "id",
  "x-auth-tenant-id": "acme",
  "x-auth-role": "admin",
  "x-auth-client-id": "app-client",
  "x-auth-groups": "g1,g2",
  "x-auth-username": "ada",
};

function expectHopsRemoved(received: Received): void {
  for (const [name] of received.rawHeaders) {
    const folded = name.replaceAll("_", "-");
    expect(folded).not.toMatch(/^(?:keep-alive|te|trailer|upgrade|proxy-.*|forwarded)$/);
    expect(folded).not.toMatch(/^(?:x-http-method-override|x-http-method|x-method-override)$/);
    expect(folded).not.toMatch(/^x-forwarded-(?!for$|proto$|host$)/);
  }
  for (const name of ["x-request-id", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"])
    expect(valuesOf(received, name), name).toHaveLength(1);
  expect(valuesOf(received, "x-forwarded-host")).toEqual(["api.example"]);
}

describe("what reaches the origin, whatever header lines are sent", () => {
  const line = fc
    .tuple(
      fc.constantFrom(...HOSTILE_NAMES),
      fc.nat(),
      fc.constantFrom("evil", "globex", "admin", "x-custom, x-auth-sub", "caf\u00c3\u00a9", 'a;b="c"', ""),
    )
    .map(([name, seed, value]) => `${spell(name, seed)}: ${value}`);
  const lines = fc.array(line, { maxLength: 8 });
  const withoutTenant = lines.map((all) => all.filter((text) => !/^x.tenant.id/i.test(text)));

  it("on a public route: no identity, and x-tenant-id is the caller's own word", async () => {
    await fc.assert(
      fc.asyncProperty(lines, async (sent) => {
        const { received } = await send("/pub/x", [...sent, `Authorization: Bearer ${person}`]);
        if (received === undefined) throw new Error("not forwarded");
        expect(identityOf(received)).toEqual({});
        expect(valuesOf(received, "x-origin-secret")).toEqual([SECRET]);
        expectHopsRemoved(received);
      }),
      { numRuns: 120 },
    );
  });

  it("on an authenticated route: the verified identity and nothing else", async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(lines, withoutTenant, withoutTenant), async (sent) => {
        const { received, code } = await send("/v1/x", [...sent, `Authorization: Bearer ${person}`]);
        if (received === undefined) {
          expect(code).toBe("tenant_mismatch");
          expect(sent.some((text) => /^x-tenant-id: ./i.test(text))).toBe(true);
          return;
        }
        expect(identityOf(received)).toEqual(PERSON);
        expect(valuesOf(received, "x-tenant-id")).toEqual(["acme"]);
        expect(valuesOf(received, "x-origin-secret")).toEqual([SECRET]);
        expectHopsRemoved(received);
      }),
      { numRuns: 180 },
    );
  });

  it("in report mode: no identity and no proof where it would have been refused, the verified one where not", async () => {
    const caller = fc.constantFrom("nobody", "person", "machine", "forger");
    await fc.assert(
      fc.asyncProperty(lines, caller, async (sent, who) => {
        const token = { nobody: "", person, machine, forger: `${person.slice(0, -8)}AAAAAAAA` }[who];
        const authorization = token === "" ? [] : [`Authorization: Bearer ${token}`];
        const { received } = await send("/report/x", [...sent, ...authorization]);
        if (received === undefined) throw new Error("not forwarded");
        const decision = gateway.decisions().at(-1)?.["decision"];
        if (who !== "person") expect(decision).toBe("report");
        if (decision === "report") {
          expect(identityOf(received)).toEqual({});
          expect(valuesOf(received, "x-tenant-id")).toEqual([]);
          expect(valuesOf(received, "x-origin-secret")).toEqual([]);
        } else {
          expect(identityOf(received)).toEqual(PERSON);
          expect(valuesOf(received, "x-tenant-id")).toEqual(["acme"]);
          expect(valuesOf(received, "x-origin-secret")).toEqual([SECRET]);
        }
        expectHopsRemoved(received);
      }),
      { numRuns: 180 },
    );
  });
});

describe("lines that stand twice", () => {
  it("refuses two Authorization lines, whichever is good", async () => {
    for (const pair of [
      [`Bearer ${person}`, `Bearer ${person}`],
      [`Bearer ${person}`, "Bearer x"],
      ["Bearer x", `Bearer ${person}`],
      [`Bearer ${person}`, "Basic YTpi"],
      [`Bearer ${person}`, `Bearer ${machine}`],
    ]) {
      const lines = pair.map((value) => `Authorization: ${value}`);
      const { code, received } = await send("/v1/x", lines);
      expect(code).toBe("malformed_token");
      expect(received).toBeUndefined();
    }
  });

  it("refuses a second, empty Authorization line too", async () => {
    expect((await send("/v1/x", [`Authorization: Bearer ${person}`, "Authorization:"])).code).toBe(
      "malformed_token",
    );
  });

  it("refuses two x-tenant-id lines: of a person as another tenant, of a machine as none", async () => {
    for (const [first, second] of [
      ["acme", "globex"],
      ["globex", "acme"],
      ["acme", "acme"],
    ]) {
      const lines = [`X-Tenant-Id: ${first}`, `x-tenant-id: ${second}`];
      expect((await send("/v1/x", [...lines, `Authorization: ${person}`])).code).toBe("tenant_mismatch");
      expect((await send("/v1/x", [...lines, `Authorization: ${machine}`])).code).toBe(
        "missing_tenant_header",
      );
    }
  });

  it("takes x_tenant_id for nothing", async () => {
    const { received } = await send("/v1/x", ["X_Tenant_Id: globex", `Authorization: ${person}`]);
    expect(received && valuesOf(received, "x-tenant-id")).toEqual(["acme"]);
    expect((await send("/v1/x", ["X_Tenant_Id: acme", `Authorization: ${machine}`])).code).toBe(
      "missing_tenant_header",
    );
  });

  it("refuses a machine every spelling of a tenant but the one", async () => {
    const outcome = async (value: string) =>
      (await send("/v1/x", [`X-Tenant-Id: ${value}`, `Authorization: ${machine}`])).code ?? "forward";
    expect(await outcome("acme")).toBe("forward");
    expect(await outcome("  globex  ")).toBe("forward"); // outer blanks are no part of a value
    for (const value of [
      "acme globex",
      "acme,globex",
      "ac\tme",
      "\u00e4cme",
      "\u00c3\u00a4cme",
      "x".repeat(129),
    ])
      expect(await outcome(value), value).toBe("missing_tenant_header");
    for (const value of ["ACME", "*", "acme;x", "acme%2c", '"acme"', "__proto__", "x".repeat(128)])
      expect(await outcome(value), value).toBe("tenant_not_allowed");
  });
});

describe("the method", () => {
  it("is the one that was matched: no override reaches the origin", async () => {
    for (const name of [
      "X-HTTP-Method-Override",
      "X-HTTP-Method",
      "X-Method-Override",
      "x_http_method_override",
    ]) {
      const { received } = await send(
        "/v1/x",
        [`${name}: DELETE`, `Authorization: ${person}`, "Content-Length: 0"],
        "POST",
      );
      expect(received?.method).toBe("POST");
      expect(JSON.stringify(received?.rawHeaders)).not.toContain("DELETE");
    }
  });

  it("is not CONNECT, TRACE or one that nobody knows", async () => {
    for (const method of ["CONNECT", "TRACE", "FOO", "get", "GET\u0000"]) {
      const { response, received } = await send("/pub/x", [], method);
      expect(received, method).toBeUndefined();
      expect(response.status, method).toBeGreaterThanOrEqual(400);
    }
  });
});

describe("headers that Connection names", () => {
  it("go no further, in any case", async () => {
    const { received } = await send("/v1/x", [
      "Connection: X-Custom, x-OTHER ,cookie",
      "X-Custom: 1",
      "x-other: 2",
      "Cookie: a=b",
      "X-Kept: 3",
      `Authorization: ${person}`,
    ]);
    const names = received?.rawHeaders.map(([name]) => name) ?? [];
    expect(names).toContain("x-kept");
    for (const name of ["x-custom", "x-other", "cookie", "connection"]) expect(names).not.toContain(name);
  });

  it("are not those of the gateway", async () => {
    const { received } = await send("/v1/x", [
      "Connection: x-auth-sub, x-tenant-id, x-auth-tenant-id, x-origin-secret, x-request-id, x-forwarded-for",
      `Authorization: ${person}`,
    ]);
    if (received === undefined) throw new Error("not forwarded");
    expect(identityOf(received)).toEqual(PERSON);
    expect(valuesOf(received, "x-tenant-id")).toEqual(["acme"]);
    expect(valuesOf(received, "x-origin-secret")).toEqual([SECRET]);
    expectHopsRemoved(received);
  });
});

describe("claims that are no plain text", () => {
  it("arrive percent-encoded, and make no line of their own", async () => {
    const token = await sign(
      key,
      idClaims(issuer, now(), {
        sub: "a\r\nx-auth-role: owner",
        "cognito:username": "Zoë 日本 😀",
        "custom:role": "admin,owner",
        "cognito:groups": ["a,b", "100%", "c\u0000d", "\ud800", ""],
      }),
    );
    const { received } = await send("/v1/x", [`Authorization: Bearer ${token}`]);
    if (received === undefined) throw new Error("not forwarded");
    expect(identityOf(received)).toEqual({
      ...PERSON,
      "x-auth-sub": "a%0D%0Ax-auth-role:%20owner",
      "x-auth-username": "Zo%C3%AB%20%E6%97%A5%E6%9C%AC%20%F0%9F%98%80",
      "x-auth-role": "admin%2Cowner",
      "x-auth-groups": "a%2Cb,100%25,c%00d,%EF%BF%BD",
    });
  });

  it("are no tenant where they are not visible ASCII", async () => {
    for (const tenant of ["Zoë", "a b", "a,b", "", "a\r\nb", "x".repeat(129), 7, ["acme"], null]) {
      const token = await sign(key, idClaims(issuer, now(), { "custom:tenant_id": tenant }));
      expect((await send("/v1/x", [`Authorization: Bearer ${token}`])).code).toBe("missing_tenant_claim");
    }
  });

  it("that do not fit into API Gateway's limit are 431, and nothing is sent", async () => {
    const groups = Array.from({ length: 100 }, (_, index) => `${"é".repeat(10)}${index}`);
    const token = await sign(key, idClaims(issuer, now(), { "cognito:groups": groups }));
    const { code, received, response } = await send("/v1/x", [`Authorization: Bearer ${token}`]);
    expect({ code, status: response.status, received }).toEqual({
      code: "headers_too_large",
      status: 431,
      received: undefined,
    });
  });
});

describe("oversize", () => {
  it("refuses 11,000 bytes of header lines with 431, on public routes too", async () => {
    const lines = ["a", "b"].map((name) => `X-${name}: ${name.repeat(5_500)}`);
    for (const path of ["/pub/x", "/report/x"]) {
      const { code, received } = await send(path, lines);
      expect(code).toBe("headers_too_large");
      expect(received).toBeUndefined();
    }
    expect((await send("/pub/x", lines.slice(1))).received).toBeDefined();
    expect((await send(`/pub/x?${"q".repeat(10_240)}`, [])).code).toBe("headers_too_large");
  });

  it("counts bytes, not characters", async () => {
    const lines = [`X-Text: ${"\u00c3\u00a9".repeat(5_200)}`];
    expect((await send("/pub/x", lines)).code).toBe("headers_too_large");
  });
});

describe("header lines that are none", () => {
  const head = (lines: readonly string[], method = "POST") =>
    [`${method} /pub/x HTTP/1.1`, "Host: api.example", "Connection: close", ...lines, "", ""].join("\r\n");

  it("never make two requests of one", async () => {
    const smuggled = "GET /v1/x HTTP/1.1\r\nHost: api.example\r\nx-auth-sub: evil\r\n\r\n";
    const messages = [
      `${head(["Content-Length: 4", "Transfer-Encoding: chunked"])}0\r\n\r\n${smuggled}`,
      `${head([`Content-Length: ${smuggled.length}`, "Content-Length: 0"])}${smuggled}`,
      `${head(["Transfer-Encoding : chunked", "Content-Length: 4"])}0\r\n\r\n${smuggled}`,
      `${head(["Transfer-Encoding: xchunked", "Content-Length: 4"])}0\r\n\r\n${smuggled}`,
      `${head(["Transfer-Encoding: chunked, identity"])}0\r\n\r\n${smuggled}`,
      `${head(["Transfer-Encoding: chunked", "Trailer: x-auth-sub"])}0\r\nx-auth-sub: evil\r\n\r\n`,
      head(["X-A: 1\r\n x-auth-sub: evil", "Content-Length: 0"]),
      head(["X-A: 1\nx-auth-sub: evil", "Content-Length: 0"]),
      head(["X-A: 1\rx-auth-sub: evil", "Content-Length: 0"]),
      head(["x-auth-sub : evil", "Content-Length: 0"]),
      head(["x-auth-sub\u0000: evil", "Content-Length: 0"]),
      head([": evil", "Content-Length: 0"]),
      head(["Content-Length: -1"]),
      head(["Content-Length: 0x10"]),
    ];
    for (const message of messages) {
      const before = origin.received.length;
      await sendBytes(gateway.url, message, 3_000).catch(() => undefined);
      const arrived = origin.received.slice(before);
      expect(arrived.length, message.slice(0, 120)).toBeLessThanOrEqual(1);
      for (const received of arrived) {
        expect(received.method).toBe("POST");
        expect(identityOf(received)).toEqual({});
      }
    }
  });

  it("never pass for a token where they are not ASCII", async () => {
    for (const value of [`Bearer\u00a0${person}`, `Bearer ${person}\u00ff`, `Bearer ${person}\u00c3\u00a9`])
      expect((await send("/v1/x", [`Authorization: ${value}`])).code).toBe("malformed_token");
  });

  it("of an x-request-id never make another line: a bad one is replaced", async () => {
    for (const value of [
      "short",
      "x".repeat(129),
      "a b c d e f",
      'x"y"z"xyz',
      "caf\u00c3\u00a9cafe",
      "a,b,c,d,e,f",
    ]) {
      const { response, received } = await send("/pub/x", [`X-Request-Id: ${value}`]);
      const answered = response.headers.find(([name]) => name === "x-request-id")?.[1];
      expect(answered).toMatch(/^[0-9a-f-]{36}$/);
      expect(received && valuesOf(received, "x-request-id")).toEqual([answered]);
    }
  });
});
