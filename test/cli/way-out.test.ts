import { describe, expect, it } from "vitest";
import { counted } from "../../src/cli/printable.ts";
import { wayOut } from "../../src/cli/way-out.ts";

const machine = { caller: "m2m", clientId: "machine-1", tenant: "acme" } as const;

describe("way out", () => {
  it.each([
    [{ env: "production", remote: true }, " --env production --remote"],
    [{ env: "dev", remote: false }, " --env dev --local"],
    [{ env: undefined, remote: true }, " --remote"],
    [undefined, " --env NAME --remote"],
  ])("works on the copy of KV that was asked about: %j", (target, words) => {
    expect(wayOut("tenant_not_allowed", { ...machine, target }).operator).toBe(
      `npx edge m2m grant machine-1 acme${words}`,
    );
    expect(wayOut("insufficient_role", { ...machine, target }).operator).toBe(
      `npx edge m2m grant machine-1 acme --role ROLE${words}`,
    );
    expect(wayOut("token_revoked", { target }).operator).toBe(
      `npx edge revocations${words} shows the entry; npx edge unrevoke KIND VALUE${words} lifts it.`,
    );
  });

  it("names the environment alone where KV is not asked", () => {
    const target = { env: "production", remote: true };
    expect(wayOut("misconfigured", { target }).operator).toBe(
      "npx edge check --env production names each fault.",
    );
  });
});

describe("counts", () => {
  it("speaks of one in the singular, of none and of two in the plural", () => {
    expect([0, 1, 2].map((count) => counted(count, "note"))).toEqual(["0 notes", "1 note", "2 notes"]);
    expect([0, 1, 2].map((count) => counted(count, "entry", "entries"))).toEqual([
      "0 entries",
      "1 entry",
      "2 entries",
    ]);
  });
});
