import { describe, expect, it } from "vitest";
import { hasRole } from "../../../src/core/policy/roles.ts";

const LADDER = ["viewer", "agent", "admin"];

describe("roles", () => {
  it("lets in a caller with the lowest role", () => expect(hasRole(LADDER, "agent", "agent")).toBe(true));
  it("lets in a caller above the lowest role", () => expect(hasRole(LADDER, "admin", "agent")).toBe(true));
  it("keeps out a caller below the lowest role", () =>
    expect(hasRole(LADDER, "viewer", "agent")).toBe(false));
  it("keeps out a role that the ladder does not know", () =>
    expect(hasRole(LADDER, "root", "viewer")).toBe(false));
  it("keeps out a caller without a role", () => expect(hasRole(LADDER, undefined, "viewer")).toBe(false));
});
