import { describe, expect, it } from "vitest";
import { createExchange, STEPS } from "../../src/core/exchange.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

const request = (requestId?: string) => ({
  method: "GET",
  url: "https://api.example/a/%61?b=%zz#c",
  headers: new Headers(requestId === undefined ? {} : { "x-request-id": requestId }),
  clientIp: undefined,
});
const idFor = (requestId?: string) => createExchange(request(requestId)).requestId;

describe("an exchange", () => {
  it("begins with the request's URL taken apart, and nothing found out", () => {
    const given = request("request-1");
    expect(createExchange(given).requestId).toBe("request-1");
    expect({ ...createExchange(given) }).toEqual({
      request: given,
      url: { origin: "https://api.example", rawPath: "/a/%61", search: "?b=%zz" },
      route: undefined,
      verification: undefined,
      tenant: undefined,
      observe: undefined,
    });
  });

  it("keeps its observer", () => {
    const observe = () => undefined;
    expect(createExchange(request(), observe).observe).toBe(observe);
  });
});

describe("the request id", () => {
  it.each(["a".repeat(8), "a".repeat(128), "AZaz09_-", "12345678-1234-1234-1234-123456789abc"])(
    "is the caller's: %s",
    (id) => {
      expect(idFor(id)).toBe(id);
    },
  );
  it.each([
    "a".repeat(7),
    "a".repeat(129),
    "",
    "request 1",
    "request.1",
    "request,request",
    "request~1",
    "request+1",
  ])("is a new UUID in place of %j", (id) => {
    expect(idFor(id)).toMatch(UUID);
  });
  it("is a new UUID where the caller sends none, another each time", () => {
    expect(idFor()).toMatch(UUID);
    expect(idFor()).not.toBe(idFor());
  });
  it("stays the same for an exchange", () => {
    const exchange = createExchange(request());
    expect(exchange.requestId).toBe(exchange.requestId);
  });
});

it("names the steps in the order of the decision", () => {
  expect(STEPS).toEqual([
    ...["method", "path", "preflight", "own_endpoint", "route", "public_rate_limit", "token_present"],
    ...["signature", "time", "token_use", "audience", "revocation", "caller", "tenant", "role", "scopes"],
    ...["groups", "tenant_rate_limit", "forward"],
  ]);
});
