import { expect, it, vi } from "vitest";
import { once } from "../../src/core/once.ts";

it.each([
  ["a value", {}],
  ["nothing at all", undefined],
])("is made when it is first asked for, and kept: %s", (_what, value) => {
  const create = vi.fn(() => value);
  const get = once(create);
  expect(create).not.toHaveBeenCalled();
  expect([get(), get(), get()]).toEqual([value, value, value]);
  expect(get()).toBe(value);
  expect(create).toHaveBeenCalledTimes(1);
});

it("is made anew where making it has failed", () => {
  const create = vi.fn(() => "made");
  create.mockImplementationOnce(() => {
    throw new Error("broken");
  });
  const get = once(create);
  expect(get).toThrow("broken");
  expect(get()).toBe("made");
});
