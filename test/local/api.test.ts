import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Api, startApi } from "../../src/local/api.ts";

const SECRET = "the-secret-of-this-test";

let api: Api;

beforeAll(async () => {
  api = await startApi({ port: 0, originSecret: SECRET });
});
afterAll(() => api.stop());

const ask = (path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(api.originUrl + path, {
    ...init,
    headers: { "x-origin-secret": SECRET, ...(init.headers as Record<string, string>) },
  });

describe("the API stand-in", () => {
  test("answers with method, path without the stage, query, headers and body", async () => {
    const response = await ask("/v1/things/a%3Ab?x=1&x=%20", {
      method: "PUT",
      headers: { "content-type": "application/json", "x-tenant-id": "acme" },
      body: '{"a":1}',
    });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      method: "PUT",
      path: "/v1/things/a%3Ab",
      query: "x=1&x=%20",
      headers: { "x-tenant-id": "acme", "content-type": "application/json" },
      body: '{"a":1}',
    });
  });

  test("shows no secret, and no token whole", async () => {
    const token = `Bearer ${"t".repeat(600)}`;
    const text = await (await ask("/v1/x", { headers: { authorization: token } })).text();
    expect(text).not.toContain(SECRET);
    expect(text).not.toContain("tttttttttttttttttttt");
    expect(text).toContain('"authorization": "Bearer ttt');
  });

  test.each([
    ["without the gateway's secret", {}],
    ["with another secret", { "x-origin-secret": "other" }],
  ])("answers 403, as an API that was passed by, %s", async (_what, headers) => {
    const response = await fetch(`${api.originUrl}/v1/x`, { headers });
    expect(response.status).toBe(403);
    expect(await response.json()).toEqual({ message: "Forbidden" });
  });

  test("answers 404 outside its stage", async () => {
    const headers = { "x-origin-secret": SECRET };
    for (const path of ["/v1/x", "/production/v1/x"])
      expect((await fetch(api.url + path, { headers })).status).toBe(404);
  });

  test("tells the size of a body that is too large to be shown", async () => {
    const response = await ask("/v1/x", { method: "POST", body: "x".repeat(4097) });
    expect(await response.json()).toMatchObject({ body: { bytes: 4097 } });
  });
});
