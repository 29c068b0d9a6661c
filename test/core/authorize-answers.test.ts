import { beforeAll, describe, expect, it } from "vitest";
import type { HeaderList } from "../../src/core/decision.ts";
import { createDecider, type Decider, type TestRequest } from "../support/decide.ts";
import { createSigningKey, type SigningKey } from "../support/tokens.ts";
import { ISSUER, NOW } from "./authorize-world.ts";

const METADATA = "/.well-known/oauth-protected-resource";
const HEALTH = "/.well-known/edge-authorizer/health";
const APP = "https://app.example";

let key: SigningKey;
let decider: Decider;

beforeAll(async () => {
  key = await createSigningKey("k");
  decider = createDecider({
    pools: [{ issuer: ISSUER, keys: () => [key.jwk] }],
    policy: {
      routes: [
        { path: "/widget/*", methods: ["POST"], access: "public", cors: ["*"] },
        { path: "/widget/*", methods: ["GET"] },
        { path: "/denied", access: "deny" },
        { path: "/preflighted", methods: ["OPTIONS"], access: "public" },
        { path: "/.well-known/*", access: "public" },
      ],
    },
    vars: { CORS_ORIGINS: [APP] },
    now: () => NOW * 1000,
  });
});

const outcomeOf = async (path: string, request: TestRequest = {}): Promise<string> =>
  (await decider.explain({ url: `https://api.example${path}`, ...request })).outcome;

const preflight = (origin: string, method: string, headers: Record<string, string> = {}): TestRequest => ({
  method: "OPTIONS",
  headers: { origin, "access-control-request-method": method, ...headers },
});

/** The answer's own headers; CORS is the adapter's part, from the route that was found. */
async function preflightHeaders(
  path: string,
  origin: string,
  method: string,
): Promise<Record<string, string>> {
  const decision = await decider.decide({ url: `https://api.example${path}`, ...preflight(origin, method) });
  if (decision.kind !== "answer") throw new Error(decision.kind);
  const headers: HeaderList = decision.answer.headers;
  expect(decision.answer.status).toBe(204);
  expect(decision.answer.body).toBeNull();
  return Object.fromEntries(headers);
}

describe("a preflight", () => {
  it("is answered with 204 on any route, the denied and the missing too", async () => {
    for (const path of ["/widget/x", "/denied", "/nowhere", "/preflighted", METADATA, HEALTH])
      expect(await outcomeOf(path, preflight(APP, "GET"))).toBe("answer 204");
  });

  it("comes after the path and before everything else", async () => {
    expect(await outcomeOf("/widget//x", preflight(APP, "GET"))).toBe("invalid_path");
    expect(await outcomeOf("/denied", preflight(APP, "GET"))).toBe("answer 204");
  });

  it("is OPTIONS with Origin and Access-Control-Request-Method; anything less is an ordinary request", async () => {
    const method = "OPTIONS";
    for (const headers of [{}, { origin: APP }, { "access-control-request-method": "GET" }] as const) {
      expect(await outcomeOf("/preflighted", { method, headers })).toBe("forward");
      expect(await outcomeOf("/denied", { method, headers })).toBe("route_denied");
      expect(await outcomeOf("/widget/x", { method, headers })).toBe("route_not_found");
    }
    expect(await outcomeOf("/denied", { ...preflight(APP, "GET"), method: "GET" })).toBe("route_denied");
  });

  it("allows the methods of all routes on the path, to an origin that the requested one allows", async () => {
    expect(await preflightHeaders("/widget/x", "https://any.example", "POST")).toMatchObject({
      "access-control-allow-methods": "GET, HEAD, POST",
    });
    expect(await preflightHeaders("/widget/x", "https://any.example", "GET")).not.toHaveProperty(
      "access-control-allow-methods",
    );
    expect(await preflightHeaders("/widget/x", APP, "GET")).toMatchObject({
      "access-control-allow-methods": "GET, HEAD, POST",
    });
  });

  it("allows the requested method where there is no route, so that the page can read the 404", async () => {
    expect(await preflightHeaders("/nowhere", APP, "PATCH")).toMatchObject({
      "access-control-allow-methods": "PATCH",
    });
    for (const noMethod of ["no method", "A1", "1A", "patch", ""])
      expect(await preflightHeaders("/nowhere", APP, noMethod)).toMatchObject({
        "access-control-allow-methods": "",
      });
    expect(await preflightHeaders("/nowhere", "https://any.example", "PATCH")).not.toHaveProperty(
      "access-control-allow-methods",
    );
  });

  it("allows GET and HEAD on the gateway's own endpoints, whose CORS no route changes", async () => {
    for (const path of [METADATA, HEALTH, `${HEALTH}/`])
      expect(await preflightHeaders(path, APP, "POST")).toMatchObject({
        "access-control-allow-methods": "GET, HEAD",
      });
  });

  it("is logged with the route that the requested method matches, if any", async () => {
    const routeOf = async (path: string, method: string): Promise<string | undefined> =>
      (await decider.explain({ url: `https://api.example${path}`, ...preflight(APP, method) })).record.route;
    expect(await routeOf("/widget/x", "POST")).toBe("/widget/*");
    expect(await routeOf("/widget/x", "DELETE")).toBeUndefined();
    expect(await routeOf(METADATA, "GET")).toBeUndefined();
  });
});

describe("the gateway's own endpoints", () => {
  it("win over a route on their path, with and without a final slash", async () => {
    for (const path of [METADATA, `${METADATA}/`]) {
      expect(await outcomeOf(path)).toBe("answer 200");
      expect(await outcomeOf(path, { method: "HEAD" })).toBe("answer 200");
    }
    for (const path of [HEALTH, `${HEALTH}/`, HEALTH.replace("health", "h%65alth")])
      expect(await outcomeOf(path)).toBe("answer 503"); // nothing was fetched yet
  });

  it("take no other method, though a route would", async () => {
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
      for (const path of [METADATA, HEALTH])
        expect(await outcomeOf(path, { method })).toBe("route_not_found");
  });

  it("leave their neighbours to the routes", async () => {
    for (const path of [`${METADATA}/x`, "/.well-known/x", "/.well-known/edge-authorizer", `${HEALTH}x`])
      expect(await outcomeOf(path)).toBe("forward");
  });

  it("come after CONNECT and TRACE and the path", async () => {
    expect(await outcomeOf(METADATA, { method: "TRACE" })).toBe("method_not_allowed");
    expect(await outcomeOf(METADATA, { method: "CONNECT" })).toBe("method_not_allowed");
    expect(await outcomeOf(`${METADATA}//`)).toBe("invalid_path");
  });

  it("tell the address that the client used", async () => {
    const decision = await decider.decide({ url: `https://api.example:8443${METADATA}` });
    const body = decision.kind === "answer" ? decision.answer.body : null;
    expect(JSON.parse(body ?? "")).toMatchObject({ resource: "https://api.example:8443" });
  });
});

describe("what is forwarded", () => {
  const upstreamOf = async (request: TestRequest, vars = {}) => {
    const open = createDecider({
      pools: [{ issuer: ISSUER, keys: () => [key.jwk] }],
      policy: {
        routes: [
          { path: "/a/*", access: "public" },
          { path: "/b/*", access: "public", origin: "second" },
        ],
      },
      vars: { ORIGINS: { second: "http://localhost:9/stage/" }, ORIGIN_SECRET: "new, old", ...vars },
      now: () => NOW * 1000,
    });
    const decision = await open.decide(request);
    if (decision.kind !== "forward") throw new Error(decision.kind);
    return decision.upstream;
  };

  it("goes to the route's origin, path canonical and query byte for byte", async () => {
    const first = await upstreamOf({ url: "https://api.example/%61/x/?q=%7E&&=1" });
    expect(first).toMatchObject({
      method: "GET",
      url: "https://origin.example/prod/a/x/?q=%7E&&=1",
      baseUrl: "https://origin.example/prod",
      basePath: "/prod",
    });
    const second = await upstreamOf({ method: "DELETE", url: "https://api.example/b" });
    expect(second).toMatchObject({ method: "DELETE", url: "http://localhost:9/stage/b", basePath: "/stage" });
  });

  it("tells scheme, host and address of the connection, and the secret", async () => {
    const request = { url: "http://api.example:8080/a/x" };
    expect(Object.fromEntries((await upstreamOf(request)).headers.set)).toEqual({
      "x-request-id": expect.stringMatching(/^[\w-]{36}$/),
      "x-forwarded-proto": "http",
      "x-forwarded-host": "api.example:8080",
      "x-forwarded-for": "203.0.113.7",
      "x-origin-secret": "new",
    });
  });

  it("has the caller's own x-tenant-id on a public route, and its Authorization unless that is switched off", async () => {
    const request = {
      url: "https://api.example/a/x",
      headers: { "x-tenant-id": "acme", authorization: "x" },
    };
    expect((await upstreamOf(request)).headers.remove).toEqual([]);
    const { headers } = await upstreamOf(request, { FORWARD_AUTHORIZATION: false });
    expect(headers.remove).toEqual(["authorization"]);
  });

  it("may have 10,240 bytes of request line and headers, and not one more", async () => {
    const sizeOf = async (filler: number): Promise<string> =>
      (
        await decider.explain({
          method: "POST",
          url: "https://api.example/widget/x",
          headers: { "x-filler": "f".repeat(filler), "x-request-id": "12345678" },
        })
      ).outcome;
    // POST /prod/widget/x HTTP/1.1, host, x-filler, x-request-id and x-forwarded-for, -proto and -host
    const others = [
      "POST /prod/widget/x HTTP/1.1",
      "host: origin.example",
      "x-filler: ",
      "x-request-id: 12345678",
      "x-forwarded-for: 203.0.113.7",
      "x-forwarded-proto: https",
      "x-forwarded-host: api.example",
    ].reduce((bytes, line) => bytes + line.length + 2, 0);
    expect(await sizeOf(10_240 - others)).toBe("forward");
    expect(await sizeOf(10_240 - others + 1)).toBe("headers_too_large");
  });
});
