import { beforeAll, describe, expect, it } from "vitest";
import type { Explained } from "../support/decide.ts";
import { createSigningKey, type SigningKey } from "../support/tokens.ts";
import {
  type Attempt,
  explain,
  type Fault,
  machineAttempt,
  machineFaults,
  personAttempt,
  personFaults,
} from "./authorize-world.ts";

let key: SigningKey;
let stranger: SigningKey;

beforeAll(async () => {
  [key, stranger] = await Promise.all([createSigningKey("k"), createSigningKey("s")]);
});

/** Applies faults to a sound attempt, the later ones of the order first, and decides. */
function decideWith(sound: (key: SigningKey) => Attempt, ...faults: readonly Fault[]): Promise<Explained> {
  const attempt = faults.reduceRight((spoilt, fault) => fault.spoil(spoilt), sound(key));
  return explain(attempt, key);
}

const CALLERS = [
  { name: "a person", sound: personAttempt, faultsOf: () => personFaults(stranger), count: 21 },
  { name: "a machine", sound: machineAttempt, faultsOf: machineFaults, count: 12 },
] as const;

for (const { name, sound, faultsOf, count } of CALLERS)
  describe(`the order of refusals of ${name}`, () => {
    it("ends with a request that is forwarded where nothing is wrong", async () => {
      expect((await decideWith(sound)).outcome).toBe("forward");
      expect(faultsOf()).toHaveLength(count);
    });

    for (let index = 0; index < count; index += 1)
      it(`has refusal ${index + 1} alone, and before each that comes after it`, async () => {
        const faults = faultsOf();
        const [first, ...later] = faults.slice(index);
        if (first === undefined) throw new Error("no such fault");
        expect((await decideWith(sound, first)).outcome).toBe(first.code);
        for (const second of later) {
          const { outcome } = await decideWith(sound, first, second);
          expect(`${first.code} before ${second.code}: ${outcome}`).toBe(
            `${first.code} before ${second.code}: ${first.code}`,
          );
        }
      });

    it("is kept where everything is wrong at once, mended fault by fault", async () => {
      const faults = faultsOf();
      for (const [index, fault] of faults.entries())
        expect((await decideWith(sound, ...faults.slice(index))).outcome).toBe(fault.code);
    });
  });

describe("the codes of the two orders", () => {
  it("are those of the contract, in its order", () => {
    expect(personFaults(stranger).map(({ code }) => code)).toEqual([
      "method_not_allowed",
      "invalid_path",
      "route_not_found",
      "missing_token",
      "malformed_token",
      "invalid_signature",
      "invalid_claims",
      "token_expired",
      "token_not_yet_valid",
      "invalid_token_use",
      "invalid_audience",
      "token_revoked",
      "caller_not_allowed",
      "missing_tenant_claim",
      "tenant_mismatch",
      "tenant_mismatch",
      "insufficient_role",
      "insufficient_scope",
      "insufficient_group",
      "rate_limited",
      "headers_too_large",
    ]);
  });
});
