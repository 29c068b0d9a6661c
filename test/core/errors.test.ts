import { describe, expect, it } from "vitest";
import { errorCodes, errorRow, isRefusal, refusal } from "../../src/core/errors.ts";

// The contract's table of errors, row by row.
const TABLE = [
  [400, "invalid_path", "none", undefined],
  [400, "missing_tenant_header", "none", undefined],
  [401, "missing_token", "bare", undefined],
  [401, "malformed_token", "invalid_token", undefined],
  [401, "invalid_signature", "invalid_token", undefined],
  [401, "token_expired", "invalid_token", undefined],
  [401, "token_not_yet_valid", "invalid_token", undefined],
  [401, "invalid_claims", "invalid_token", undefined],
  [401, "invalid_token_use", "invalid_token", undefined],
  [401, "invalid_audience", "invalid_token", undefined],
  [401, "token_revoked", "invalid_token", undefined],
  [403, "caller_not_allowed", "none", undefined],
  [403, "missing_tenant_claim", "none", undefined],
  [403, "tenant_mismatch", "none", undefined],
  [403, "tenant_not_allowed", "none", undefined],
  [403, "insufficient_role", "none", undefined],
  [403, "insufficient_scope", "insufficient_scope", undefined],
  [403, "insufficient_group", "none", undefined],
  [403, "route_denied", "none", undefined],
  [404, "route_not_found", "none", undefined],
  [405, "method_not_allowed", "none", undefined],
  [429, "rate_limited", "none", 60],
  [431, "headers_too_large", "none", undefined],
  [500, "misconfigured", "none", undefined],
  [500, "internal_error", "none", undefined],
  [502, "origin_unreachable", "none", undefined],
  [503, "jwks_unavailable", "none", 10],
  [503, "allowlist_unavailable", "none", 10],
  [503, "revocations_unavailable", "none", 10],
  [504, "origin_timeout", "none", undefined],
] as const;

describe("the catalogue", () => {
  it("holds the contract's codes and no other, in the order of their status", () => {
    expect(errorCodes()).toEqual(TABLE.map(([, code]) => code));
  });

  it.each(TABLE)(
    "answers %i %s with the right challenge and Retry-After",
    (status, code, challenge, retry) => {
      const row = errorRow(code);
      expect(row.status).toBe(status);
      expect(row.challenge).toBe(challenge);
      expect(row.retryAfterSeconds).toBe(retry);
    },
  );

  it.each(errorCodes())("says in one plain sentence what to do: %s", (code) => {
    expect(errorRow(code).message).toMatch(/^[A-Z][a-z]+ [^.!?\n]{15,120}\.$/);
  });

  it("says something else for each code", () => {
    expect(new Set(errorCodes().map((code) => errorRow(code).message)).size).toBe(errorCodes().length);
  });
});

describe("a refusal", () => {
  it("is its code, with the scopes that it names", () => {
    expect(refusal("token_expired")).toEqual({ code: "token_expired" });
    expect(refusal("token_expired")).not.toHaveProperty("scopes");
    expect(refusal("insufficient_scope", ["a"])).toEqual({ code: "insufficient_scope", scopes: ["a"] });
  });

  it("is told from anything else that a step returns", () => {
    expect(isRefusal(refusal("token_expired"))).toBe(true);
    for (const value of [undefined, null, "code", 1, true, {}, { kind: "forward" }, ["code"], () => "code"])
      expect(isRefusal(value), String(value)).toBe(false);
  });
});
