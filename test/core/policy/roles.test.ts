import { describe, expect, it } from "vitest";
import { hasRole } from "../../../src/core/policy/roles.ts";

const LADDER = ["viewer", "agent", "admin", "owner"];

describe("roles", () => {
  it("lets in who stands on the lowest role or above it, and nobody below, rung by rung", () => {
    for (const [rank, role] of LADDER.entries())
      for (const [needed, lowest] of LADDER.entries())
        expect(hasRole(LADDER, role, lowest), `${role} where ${lowest} is needed`).toBe(rank >= needed);
  });
  it("keeps out a role that the ladder does not know", () =>
    expect(hasRole(LADDER, "root", "viewer")).toBe(false));
  it("keeps out a caller without a role", () => expect(hasRole(LADDER, undefined, "viewer")).toBe(false));
  it("compares roles as they are written", () => expect(hasRole(LADDER, "Admin", "viewer")).toBe(false));
  it("keeps out an unknown role even where the needed one is unknown too", () =>
    expect(hasRole(LADDER, "root", "root")).toBe(false));
});
