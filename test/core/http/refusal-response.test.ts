import { describe, expect, it } from "vitest";
import { type ErrorCode, errorCodes, errorRow, type Refusal, refusal } from "../../../src/core/errors.ts";
import { errorBody, refusalAnswer } from "../../../src/core/http/refusal-response.ts";

const FACTS = { realm: "edge", gatewayOrigin: "https://api.example", requestId: "request-1" };
const METADATA = 'resource_metadata="https://api.example/.well-known/oauth-protected-resource"';

const headersOf = (refused: Refusal, facts = FACTS): Record<string, string> =>
  Object.fromEntries(refusalAnswer(refused, facts).headers);

describe("the response of a refusal", () => {
  it("is JSON that says what to do, and is never stored", () => {
    expect(refusalAnswer(refusal("route_not_found"), FACTS)).toEqual({
      status: 404,
      headers: [
        ["content-type", "application/json"],
        ["cache-control", "no-store"],
      ],
      body: '{"error":"route_not_found","message":"Check the path and the method: the API has no such route.","request_id":"request-1"}',
    });
  });

  it.each(errorCodes())("holds code, sentence and request_id: %s", (code) => {
    const answer = refusalAnswer(refusal(code), FACTS);
    expect(answer.status).toBe(errorRow(code).status);
    expect(JSON.parse(answer.body ?? "")).toEqual({
      error: code,
      message: errorRow(code).message,
      request_id: "request-1",
    });
    expect(answer.body).toBe(errorBody(code, "request-1"));
  });

  it.each<[ErrorCode, string]>([
    ["missing_token", `Bearer realm="edge", ${METADATA}`],
    ["malformed_token", `Bearer realm="edge", error="invalid_token", ${METADATA}`],
    ["token_expired", `Bearer realm="edge", error="invalid_token", ${METADATA}`],
    ["insufficient_scope", `Bearer realm="edge", error="insufficient_scope", ${METADATA}`],
  ])("challenges for %s", (code, challenge) => {
    expect(headersOf(refusal(code))["www-authenticate"]).toBe(challenge);
  });

  it("names the scopes, in their order, after the error", () => {
    expect(headersOf(refusal("insufficient_scope", ["zen/b", "zen/a"]))["www-authenticate"]).toBe(
      `Bearer realm="edge", error="insufficient_scope", scope="zen/b zen/a", ${METADATA}`,
    );
  });

  it("names the configured realm and the address that the client used", () => {
    const facts = { ...FACTS, realm: "my api", gatewayOrigin: "http://localhost:8787" };
    expect(headersOf(refusal("missing_token"), facts)["www-authenticate"]).toBe(
      'Bearer realm="my api", resource_metadata="http://localhost:8787/.well-known/oauth-protected-resource"',
    );
  });

  it("says when to ask again", () => {
    expect(refusalAnswer(refusal("rate_limited"), FACTS).headers).toEqual([
      ["content-type", "application/json"],
      ["cache-control", "no-store"],
      ["retry-after", "60"],
    ]);
    expect(headersOf(refusal("jwks_unavailable"))["retry-after"]).toBe("10");
  });

  it("names the methods that are served for one that never is", () => {
    expect(headersOf(refusal("method_not_allowed"))["allow"]).toBe(
      "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
    );
    for (const code of errorCodes())
      if (code !== "method_not_allowed") expect(headersOf(refusal(code)), code).not.toHaveProperty("allow");
  });
});
