import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startGateway, type TestGateway } from "../support/gateway.ts";
import { type Handler, startCognito, startOrigin, type TestServer } from "../support/servers.ts";
import { createSigningKey, idClaims, sign } from "../support/tokens.ts";

const APP = "https://app.example";

let origin: TestServer;
let cognito: TestServer;
let gateway: TestGateway;
let token: string;

beforeAll(async () => {
  const key = await createSigningKey("k1");
  [origin, cognito] = await Promise.all([startOrigin(), startCognito(() => [key.jwk])]);
  const issuer = `${cognito.url}/us-east-2_Resp1`;
  gateway = await startGateway({
    policy: {
      routes: [
        { path: "/pub/*", access: "public", cors: ["*"] },
        { path: "/report/*", role: "admin", mode: "report" },
        { path: "/v1/*" },
      ],
      roles: ["admin"],
    },
    vars: {
      ORIGIN_URL: `${origin.url}/prod`,
      ORIGIN_SECRET: "origin-proof-1",
      CORS_ORIGINS: [APP],
      USER_POOLS: [
        {
          id: "us-east-2_Resp1",
          client_ids: ["app-client"],
          issuers: [{ issuer, jwks_url: `${issuer}/jwks.json` }],
        },
      ],
    },
  });
  token = await sign(key, idClaims(issuer, Math.floor(Date.now() / 1000)));
});

afterAll(async () => {
  await gateway.close();
  await Promise.all([origin.close(), cognito.close()]);
});

/** The gateway's response to a request that the origin answers with these headers. */
async function answered(
  headers: Record<string, string | string[]>,
  request: Record<string, string> = { origin: APP },
  path = "/v1/x",
): Promise<Response> {
  origin.handler = ((_request, response) =>
    void response.writeHead(200, headers).end("body")) satisfies Handler;
  try {
    return await gateway.fetch(path, { headers: { authorization: `Bearer ${token}`, ...request } });
  } finally {
    origin.handler = undefined;
  }
}

describe("the origin's CORS headers", () => {
  const LAX = {
    "access-control-allow-origin": "*",
    "access-control-allow-credentials": "true",
    "access-control-allow-methods": "*",
    "access-control-allow-headers": "*",
    "access-control-max-age": "86400",
    "access-control-allow-private-network": "true",
    "access-control-expose-headers": "x-own",
    "timing-allow-origin": "*",
  };
  const corsOf = (response: Response) =>
    Object.fromEntries([...response.headers].filter(([name]) => name.startsWith("access-control-")));

  it("never widen ours: what an allowed page gets is the gateway's word, and what the origin exposes", async () => {
    expect(corsOf(await answered(LAX))).toEqual({
      "access-control-allow-origin": APP,
      "access-control-expose-headers": "www-authenticate, x-request-id, retry-after, x-own",
    });
  });

  it("are gone for a page that is not allowed, for a look-alike, and for no page at all", async () => {
    for (const request of [
      { origin: "https://evil.example" },
      { origin: `${APP}.evil.example` },
      { origin: `${APP}/` },
      { origin: "HTTPS://APP.EXAMPLE" },
      { origin: "null" },
      { origin: `${APP}, https://evil.example` },
      {},
    ])
      expect(corsOf(await answered(LAX, request as Record<string, string>)), JSON.stringify(request)).toEqual(
        {},
      );
  });

  it("allow credentials nowhere, on a route for any page neither", async () => {
    for (const page of ["null", "https://evil.example", APP]) {
      const response = await answered(LAX, { origin: page }, "/pub/x");
      expect(response.headers.get("access-control-allow-origin")).toBe(page);
      expect(response.headers.get("access-control-allow-credentials")).toBeNull();
    }
  });
});

describe("what the origin says that is the gateway's to say", () => {
  it("x-request-id is the request's, whatever the origin answers", async () => {
    const response = await answered(
      { "x-request-id": ["evil-1234", "evil-5678"] },
      { "x-request-id": "mine-1234" },
    );
    expect(response.headers.get("x-request-id")).toBe("mine-1234");
  });

  it("identity and proof in the answer are no headers of ours: they come only if the origin sends them", async () => {
    const names = [...(await answered({})).headers.keys()];
    expect(names.filter((name) => /^x-(?:auth-|tenant-id|origin-secret)/.test(name))).toEqual([]);
  });

  it("a Location leads to where the origin meant it to, on no other host", async () => {
    const cases: readonly (readonly [string, string])[] = [
      [`${origin.url}/prod/x?y#z`, `${gateway.url}/x?y#z`],
      [`${origin.url}/prod`, gateway.url],
      [`${origin.url}/prod/../admin`, `${origin.url}/prod/../admin`], // not under the stage path
      [`${origin.url}/production/x`, `${origin.url}/production/x`],
      [`${origin.url}.evil.example/prod/x`, `${origin.url}.evil.example/prod/x`],
      [`http://127.0.0.1@evil.example/prod/x`, `http://127.0.0.1@evil.example/prod/x`],
      ["https://evil.example/prod/x", "https://evil.example/prod/x"],
      ["//evil.example/prod", "//evil.example/prod"],
      ["/prod//evil.example/x", `${gateway.url}//evil.example/x`],
      ["/prod/\\evil.example/x", `${gateway.url}/\\evil.example/x`],
      ["/prod/x", "/x"],
      ["x", "x"],
      ["javascript:alert(1)", "javascript:alert(1)"],
      ["http://[", "http://["],
      ["", ""],
    ];
    for (const [location, expected] of cases)
      expect((await answered({ location })).headers.get("location") ?? "", location).toBe(expected);
  });
});

describe("a body that is encoded", () => {
  it("arrives as it was sent: gzip stays gzip, also where it only calls itself so", async () => {
    const body = gzipSync("hello ".repeat(10_000));
    origin.handler = (_request, response) =>
      void response.writeHead(200, { "content-encoding": "gzip", "content-type": "text/plain" }).end(body);
    const response = await gateway.fetch("/pub/x", { headers: { "accept-encoding": "gzip" } });
    expect(await response.text()).toBe("hello ".repeat(10_000));
    origin.handler = (_request, response) =>
      void response.writeHead(200, { "content-encoding": "gzip" }).end("no gzip at all");
    const broken = await gateway.fetch("/pub/x");
    expect(broken.status).toBe(200);
    await expect(broken.text()).rejects.toThrow(); // the client finds out, as it would without a gateway
    origin.handler = undefined;
    expect((await gateway.fetch("/pub/x")).status).toBe(200);
  });
});

describe("what the origin answers to one caller", () => {
  it("is never served to another, however cacheable it calls itself", async () => {
    let served = 0;
    origin.handler = (_request, response) => {
      served += 1;
      response
        .writeHead(200, { "cache-control": "public, max-age=3600, immutable", etag: '"1"' })
        .end(`${served}`);
    };
    const bodies = [];
    for (let again = 0; again < 3; again += 1) {
      const response = await gateway.fetch("/v1/report.csv", { headers: { authorization: token } });
      bodies.push(await response.text());
    }
    origin.handler = undefined;
    expect(bodies).toEqual(["1", "2", "3"]);
    expect((await gateway.fetch("/v1/report.csv")).status).toBe(401);
  });
});

it("refusals are stored by no cache, each of them", async () => {
  for (const [path, status] of [
    ["/v1/x", 401],
    ["/v1//x", 400],
    ["/none", 404],
  ] as const) {
    const response = await gateway.fetch(path);
    expect(response.status).toBe(status);
    expect(response.headers.get("cache-control")).toBe("no-store");
  }
});
