import { beforeAll, describe, expect, it } from "vitest";
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

/** What report mode never lets through: steps before 5 and after 16, and our own outages. */
const NEVER_REPORTED = [
  "method_not_allowed",
  "invalid_path",
  "route_not_found",
  "revocations_unavailable",
  "allowlist_unavailable",
  "headers_too_large",
];

const outcomeInReport = ({ code }: Fault): string =>
  NEVER_REPORTED.includes(code) ? code : `report ${code}`;

const MODES = [
  { name: "MODE", sound: (attempt: Attempt) => ({ ...attempt, vars: { MODE: "report" } }) },
  { name: "a route's mode", sound: (attempt: Attempt) => ({ ...attempt, area: "reported" }) },
] as const;

for (const { name, sound } of MODES)
  describe(`report by ${name}`, () => {
    it("lets through what a person's token steps would refuse, and nothing else", async () => {
      for (const fault of personFaults(stranger)) {
        const spoilt = fault.spoil(sound(personAttempt(key)));
        if (fault.code === "caller_not_allowed" && name === "a route's mode") continue; // another route
        const { outcome, record } = await explain(spoilt, key);
        expect(outcome).toBe(outcomeInReport(fault));
        expect(record.would_have).toBe(NEVER_REPORTED.includes(fault.code) ? undefined : fault.code);
        expect(record.error).toBe(NEVER_REPORTED.includes(fault.code) ? fault.code : undefined);
      }
    });

    it("lets through what a machine's would refuse, but for our own outages", async () => {
      for (const fault of machineFaults()) {
        const spoilt = fault.spoil(sound(machineAttempt(key)));
        if (fault.code === "caller_not_allowed" && name === "a route's mode") continue; // another route
        expect((await explain(spoilt, key)).outcome).toBe(outcomeInReport(fault));
      }
    });

    it("is an outage, not a report, while the keys cannot be had", async () => {
      const jwks = {
        cache: { get: async () => undefined, put: async () => undefined },
        kv: { get: async () => undefined, put: async () => undefined },
        fetch: async () => ({ status: 500 }),
      };
      const { outcome } = await explain({ ...sound(personAttempt(key)), sources: { jwks } }, key);
      expect(outcome).toBe("jwks_unavailable");
    });

    it("sends neither identity nor proof with what it lets through, and not the caller's own word either", async () => {
      const spoofed = {
        "x-auth-sub": "root",
        "x-tenant-id": "globex",
        "x-origin-secret": "guess",
        "x-own": "1",
      };
      const explained = await explain({ ...sound(personAttempt(key)), headers: spoofed }, key);
      expect(explained.outcome).toBe("report tenant_mismatch");
      const headers = explained.sent;
      expect(Object.keys(headers).filter((header) => /^x-(auth|tenant|origin)/.test(header))).toEqual([]);
      expect(headers).toMatchObject({ "x-own": "1", "x-forwarded-for": "203.0.113.7" });
    });

    it("sends identity and proof with what nothing is wrong with", async () => {
      const explained = await explain(sound(personAttempt(key)), key);
      expect(explained.outcome).toBe("forward");
      expect(explained.sent).toMatchObject({
        "x-auth-tenant-id": "acme",
        "x-tenant-id": "acme",
        "x-auth-role": "admin",
        "x-origin-secret": "the-origin-secret",
      });
    });
  });

describe("the mode of a route", () => {
  it("enforces where MODE reports", async () => {
    const attempt = { ...personAttempt(key), area: "enforced", vars: { MODE: "report" } };
    expect((await explain({ ...attempt, authorization: undefined }, key)).outcome).toBe("missing_token");
  });

  it("reports where MODE enforces, and nowhere else", async () => {
    const attempt = { ...personAttempt(key), authorization: undefined, vars: { MODE: "enforce" } };
    expect((await explain({ ...attempt, area: "reported" }, key)).outcome).toBe("report missing_token");
    expect((await explain(attempt, key)).outcome).toBe("missing_token");
  });

  it("opens no denied route", async () => {
    for (const attempt of [
      { ...personAttempt(key), area: "denied-reported" },
      { ...personAttempt(key), area: "denied", vars: { MODE: "report" } },
    ])
      expect((await explain(attempt, key)).outcome).toBe("route_denied");
  });

  it("reports a public route's rate limit, and forwards without proof", async () => {
    const limited = { ...personAttempt(key), sources: { publicRateLimit: async () => false } };
    const reported = await explain({ ...limited, area: "open-reported" }, key);
    expect(reported.outcome).toBe("report rate_limited");
    expect(reported.sent).not.toHaveProperty("x-origin-secret");
    const global = await explain({ ...limited, area: "open", vars: { MODE: "report" } }, key);
    expect(global.outcome).toBe("report rate_limited");
    expect((await explain({ ...limited, area: "open" }, key)).outcome).toBe("rate_limited");
  });
});
