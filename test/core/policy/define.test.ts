import { describe, expect, it } from "vitest";
import { compilePolicy, definePolicy, PolicyError } from "../../../src/core/policy/define.ts";

const thrownBy = (run: () => unknown): unknown => {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
};

describe("definePolicy", () => {
  it("hands back the very policy", () => {
    const policy = { roles: ["viewer"], routes: [{ path: "/a", role: "viewer" }] } as const;
    expect(definePolicy(policy)).toBe(policy);
  });

  it("throws one fault", () => {
    const error = thrownBy(() => definePolicy({ routes: [] }));
    expect(error).toBeInstanceOf(PolicyError);
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({
      name: "PolicyError",
      message: "The policy has a fault:\nroutes: must not be empty",
      faults: ["routes: must not be empty"],
    });
  });

  it("throws all faults at once", () => {
    const error = thrownBy(() => definePolicy({ routes: [{ path: "a" }, { path: "/b" }, { path: "/b" }] }));
    const faults = [
      "routes.0.path: must start with /",
      "routes.2: can never be reached, since earlier routes take all that it takes",
    ];
    expect(error).toMatchObject({ message: `The policy has 2 faults:\n${faults.join("\n")}`, faults });
  });
});

describe("compilePolicy", () => {
  it("compiles what definePolicy lets through", () => {
    const compiled = compilePolicy({ roles: ["a"], routes: [{ path: "/x" }] });
    expect(compiled).toMatchObject({
      ok: true,
      value: { roles: ["a"], routes: [{ pattern: { text: "/x" } }] },
    });
  });

  it("refuses a route that an earlier one covers, though each is right", () => {
    expect(compilePolicy({ routes: [{ path: "/*" }, { path: "/x" }] })).toEqual({
      ok: false,
      faults: ["routes.1: can never be reached, since earlier routes take all that it takes"],
    });
  });
});
