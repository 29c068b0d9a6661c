import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { startGateway } from "../support/gateway.ts";
import { type Stack, startStack } from "./stack.ts";

const APP = "https://app.example.com";
const PARTNER = "https://partner.example.net";
const EVIL = "https://evil.example";
const EXPOSED = "www-authenticate, x-request-id, retry-after";

let stack: Stack;

beforeAll(async () => {
  stack = await startStack(startGateway, {
    policy: {
      routes: [
        { path: "/pub/*", methods: ["GET", "POST"], access: "public", cors: ["*"] },
        { path: "/pub/*", methods: ["DELETE"], cors: [PARTNER] },
        { path: "/none/*", access: "public", cors: [] },
        { path: "/denied/*", access: "deny" },
        { path: "/options/*", methods: ["OPTIONS"], access: "public" },
        { path: "/v1/*", methods: ["GET", "PUT"] },
      ],
    },
    vars: { CORS_ORIGINS: [APP, "http://localhost:5173", "capacitor://localhost"] },
  });
});
afterEach(() => {
  stack.origin.handler = undefined;
});
afterAll(() => stack?.close());

const preflight = (path: string, origin: string, method = "GET", asked?: string): Promise<Response> =>
  stack.call(path, {
    method: "OPTIONS",
    headers: {
      origin,
      "access-control-request-method": method,
      ...(asked !== undefined && { "access-control-request-headers": asked }),
    },
  });
const corsOf = (response: Response): Record<string, string> =>
  Object.fromEntries([...response.headers].filter(([name]) => name.startsWith("access-control-")));
const listOf = (response: Response, name: string): string[] =>
  (response.headers.get(name) ?? "").split(/, */).toSorted();

describe("a preflight", () => {
  it("is 204 at the edge, without a token, and never reaches the origin", async () => {
    const before = stack.origin.received.length;
    const response = await preflight("/v1/x", APP, "PUT", "authorization,x-custom");
    expect([response.status, await response.text()]).toEqual([204, ""]);
    expect(stack.origin.received.length).toBe(before);
    expect(response.headers.get("access-control-allow-origin")).toBe(APP);
    expect(response.headers.get("vary")).toBe("Origin");
    expect(response.headers.get("access-control-max-age")).toBe("600");
    expect(response.headers.get("access-control-allow-credentials")).toBeNull();
    expect(response.headers.get("x-request-id")).not.toBeNull();
    expect(await stack.lineOf(response)).toMatchObject({
      decision: "answer",
      status: 204,
      method: "OPTIONS",
    });
  });

  it("allows the methods of the routes on that path, HEAD with GET", async () => {
    expect(listOf(await preflight("/v1/x", APP), "access-control-allow-methods")).toEqual([
      "GET",
      "HEAD",
      "PUT",
    ]);
    expect(listOf(await preflight("/pub/x", EVIL), "access-control-allow-methods")).toEqual(
      ["DELETE", "GET", "HEAD", "POST"].toSorted(),
    );
    expect(listOf(await preflight("/denied/x", APP), "access-control-allow-methods")).toContain("DELETE");
  });

  it.each([
    [undefined, []],
    ["", []],
    ["x-custom", ["x-custom"]],
    ["X-One, x-two", ["x-one", "x-two"]],
    ["Authorization", []],
    ["x-ok, bad name, x(y), {}, x-fine", ["x-fine", "x-ok"]],
  ])(
    "that asks for the headers %j is allowed those that are well-formed beside ours",
    async (asked, more) => {
      const ours = ["authorization", "content-type", "x-request-id", "x-tenant-id"];
      const response = await preflight("/v1/x", APP, "GET", asked);
      expect(listOf(response, "access-control-allow-headers")).toEqual([...ours, ...more].toSorted());
    },
  );

  it("belongs to the route that its path and requested method match", async () => {
    expect(corsOf(await preflight("/pub/x", EVIL, "POST"))["access-control-allow-origin"]).toBe(EVIL);
    expect(corsOf(await preflight("/pub/x", EVIL, "DELETE"))).toEqual({});
    expect(corsOf(await preflight("/pub/x", PARTNER, "DELETE"))["access-control-allow-origin"]).toBe(PARTNER);
  });

  it("meets CORS_ORIGINS where no route matches", async () => {
    for (const [path, method] of [
      ["/nowhere", "GET"],
      ["/v1/x", "DELETE"],
    ] as const) {
      const allowed = await preflight(path, APP, method);
      expect([allowed.status, corsOf(allowed)["access-control-allow-origin"]]).toEqual([204, APP]);
      expect(corsOf(await preflight(path, EVIL, method))).toEqual({});
    }
  });

  it.each([
    EVIL,
    "null",
    `${APP}/`,
    `${APP}:443`,
    "https://APP.example.com",
    `${APP}.evil.example`,
    "http://app.example.com",
  ])("from %s is 204 without any CORS header", async (origin) => {
    const response = await preflight("/v1/x", origin);
    expect([response.status, corsOf(response)]).toEqual([204, {}]);
  });

  it("from every one of CORS_ORIGINS is allowed", async () => {
    for (const origin of ["http://localhost:5173", "capacitor://localhost"])
      expect((await preflight("/v1/x", origin)).headers.get("access-control-allow-origin")).toBe(origin);
  });

  it("for one of the gateway's own endpoints allows what it takes", async () => {
    const response = await preflight("/.well-known/edge-authorizer/health", APP);
    expect(listOf(response, "access-control-allow-methods")).toEqual(["GET", "HEAD"]);
  });

  it("for a path that is refused is 400 invalid_path, readable", async () => {
    const response = await preflight("/v1/a;b", APP);
    expect([response.status, (await response.json()).error]).toEqual([400, "invalid_path"]);
    expect(response.headers.get("access-control-allow-origin")).toBe(APP);
  });
});

describe("any other OPTIONS", () => {
  it("is an ordinary request", async () => {
    for (const headers of [{}, { origin: APP }, { "access-control-request-method": "GET" }] as Record<
      string,
      string
    >[]) {
      expect(await stack.outcome("/options/x", { method: "OPTIONS", headers })).toBe("200");
      expect(stack.origin.last().method).toBe("OPTIONS");
      expect(await stack.outcome("/v1/x", { method: "OPTIONS", headers })).toBe("route_not_found");
    }
  });
});

describe("every other response", () => {
  it("is readable by an allowed page: answers, refusals of every kind, own endpoints", async () => {
    const token = await stack.id();
    const expired = await stack.id({ exp: 1 });
    const headers = { origin: APP };
    for (const [path, call, status] of [
      ["/v1/x", { token }, 200],
      ["/v1/x", {}, 401],
      ["/v1/x", { token: expired }, 401],
      ["/denied/x", { token }, 403],
      ["/nowhere", {}, 404],
      ["/v1//x", {}, 400],
      ["/v1/x", { token, headers: { "x-long": "x".repeat(11_000) } }, 431],
      ["/.well-known/oauth-protected-resource", {}, 200],
      ["/.well-known/edge-authorizer/health", {}, 200],
    ] as const) {
      const own = "headers" in call ? call.headers : {};
      const response = await stack.call(path, { ...call, headers: { ...headers, ...own } });
      expect([path, response.status]).toEqual([path, status]);
      expect(corsOf(response)).toEqual({
        "access-control-allow-origin": APP,
        "access-control-expose-headers": EXPOSED,
      });
      expect(response.headers.get("vary")).toBe("Origin");
    }
  });

  it("has no CORS header for other pages, nor without Origin", async () => {
    stack.origin.handler = (_request, response) =>
      response.setHeader("access-control-allow-origin", "*").end();
    const token = await stack.id();
    for (const headers of [{ origin: EVIL }, {}] as Record<string, string>[])
      for (const call of [{ token, headers }, { headers }])
        expect(corsOf(await stack.call("/v1/x", call))).toEqual({});
  });

  it("echoes the page where any may read", async () => {
    const response = await stack.call("/pub/x", { headers: { origin: EVIL } });
    expect(corsOf(response)["access-control-allow-origin"]).toBe(EVIL);
    expect(response.headers.get("vary")).toBe("Origin");
  });

  it("the origin's own CORS headers are replaced, but for what it exposes, which is kept beside ours", async () => {
    stack.origin.handler = (_request, response) => {
      response.setHeader("access-control-allow-origin", "*");
      response.setHeader("access-control-allow-credentials", "true");
      response.setHeader("access-control-allow-methods", "GET");
      response.setHeader("access-control-expose-headers", "etag, x-total");
      response.setHeader("vary", "Accept-Encoding");
      response.end();
    };
    const response = await stack.call("/pub/x", { headers: { origin: EVIL } });
    expect(corsOf(response)).toEqual({
      "access-control-allow-origin": EVIL,
      "access-control-expose-headers": `${EXPOSED}, etag, x-total`,
    });
    expect(listOf(response, "vary")).toEqual(["Accept-Encoding", "Origin"]);
  });

  it("does not say Origin twice in vary", async () => {
    stack.origin.handler = (_request, response) => response.setHeader("vary", "origin, accept").end();
    const response = await stack.call("/pub/x", { headers: { origin: EVIL } });
    expect(response.headers.get("vary")?.match(/origin/gi)).toHaveLength(1);
  });
});
