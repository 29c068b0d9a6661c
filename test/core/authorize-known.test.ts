import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { createSigningKey, type SigningKey } from "../support/tokens.ts";
import {
  type Attempt,
  deciderOf,
  machineAttempt,
  personAttempt,
  requestOf,
  withHeader,
} from "./authorize-world.ts";

let key: SigningKey;

beforeAll(async () => {
  key = await createSigningKey("k");
});

describe("a caller whose token has been verified", () => {
  afterEach(() => vi.restoreAllMocks());

  it.each<[string, (key: SigningKey) => Attempt]>([
    ["person", personAttempt],
    ["machine", machineAttempt],
  ])("is decided on without a wait and without a signature check: a %s", async (_caller, attemptOf) => {
    const attempt = withHeader("x-request-id", "request-0001")(attemptOf(key));
    const decider = deciderOf(attempt, key);
    const request = await requestOf(attempt);
    const checks = vi.spyOn(crypto.subtle, "verify");

    const first = await decider.explain(request);
    expect(first).toMatchObject({ outcome: "forward", waited: true });
    expect(checks).toHaveBeenCalledTimes(1);

    const second = await decider.explain(request);
    expect(second).toMatchObject({ outcome: "forward", waited: false, steps: first.steps, sent: first.sent });
    expect(checks).toHaveBeenCalledTimes(1);

    const another = await decider.explain(
      await requestOf({ ...attempt, claims: { ...attempt.claims, jti: "2" } }),
    );
    expect(another).toMatchObject({ outcome: "forward", waited: true });
    expect(checks).toHaveBeenCalledTimes(2);
  });
});
