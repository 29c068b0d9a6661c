import { beforeEach, describe, expect, it } from "vitest";
import {
  createRevocations,
  type ListRevocations,
  REVOCATION_KINDS,
  type Revocable,
  type RevocationAnswer,
  type RevocationEntry,
  type Revocations,
} from "../../../src/core/tenant/revocations.ts";
import { createFakeScope, createLatch, type FakeScope } from "../../support/fake-scope.ts";

const IAT = 1_800_000_000;

let scope: FakeScope;
let revocations: Revocations;
let listings: number;
let entries: readonly RevocationEntry[];
let onList: ListRevocations | undefined;

beforeEach(() => {
  scope = createFakeScope(IAT * 1000);
  revocations = createRevocations();
  listings = 0;
  entries = [];
  onList = undefined;
});

const list: ListRevocations = async () => {
  listings += 1;
  return onList === undefined ? entries : onList();
};

const REVOCABLE: Revocable = {
  jti: "jti-1",
  origin_jti: "origin-1",
  sub: "sub-1",
  client: "client-1",
  tenant: "acme",
  kid: "kid-1",
};
const NOTHING: Revocable = {
  jti: undefined,
  origin_jti: undefined,
  sub: undefined,
  client: undefined,
  tenant: undefined,
  kid: undefined,
};

const checkNow = (revocable = REVOCABLE, iat = IAT): RevocationAnswer | Promise<RevocationAnswer> =>
  revocations.check(revocable, iat, list, scope);
const check = async (revocable = REVOCABLE, iat = IAT): Promise<RevocationAnswer> => checkNow(revocable, iat);

/** The answer for one listing, in a new isolate. */
async function checkWith(listed: readonly RevocationEntry[], revocable = REVOCABLE, iat = IAT) {
  revocations = createRevocations();
  entries = listed;
  return check(revocable, iat);
}

describe("each kind", () => {
  it("is one of six", () => {
    expect(REVOCATION_KINDS).toEqual(["jti", "origin_jti", "sub", "client", "tenant", "kid"]);
  });

  for (const kind of REVOCATION_KINDS) {
    const value = REVOCABLE[kind];

    it(`revokes by ${kind}, and by its whole value only`, async () => {
      expect(await checkWith([{ name: `${kind}:${value}`, metadata: {} }])).toBe("revoked");
      for (const name of [
        `${kind}:${value}x`,
        `${kind}:`,
        kind,
        `${value}`,
        `x${kind}:${value}`,
        `${kind}:*`,
      ])
        expect(await checkWith([{ name, metadata: {} }])).toBe("live");
    });

    it(`takes no other claim's value for ${kind}`, async () => {
      for (const other of REVOCATION_KINDS)
        if (other !== kind)
          expect(await checkWith([{ name: `${kind}:${REVOCABLE[other]}`, metadata: {} }])).toBe("live");
    });

    it(`does not revoke by ${kind} what has none`, async () => {
      const without = { ...REVOCABLE, [kind]: undefined };
      for (const name of [`${kind}:${value}`, `${kind}:undefined`, `${kind}:`])
        expect(await checkWith([{ name, metadata: {} }], without)).toBe("live");
    });
  }

  it("is live where nothing is listed, and where nothing of it can be", async () => {
    expect(await checkWith([])).toBe("live");
    expect(await checkWith([{ name: "sub:sub-1", metadata: {} }], NOTHING)).toBe("live");
  });

  it("keeps a value with colons whole", async () => {
    const revocable = { ...NOTHING, sub: "client:client-1" };
    expect(await checkWith([{ name: "client:client-1", metadata: {} }], revocable)).toBe("live");
    expect(await checkWith([{ name: "sub:client:client-1", metadata: {} }], revocable)).toBe("revoked");
  });
});

describe("before", () => {
  for (const [before, answer] of [
    [IAT - 1, "live"],
    [IAT, "live"],
    [IAT + 0.001, "revoked"],
    [IAT + 1, "revoked"],
    [0, "live"],
    [-1, "live"],
  ] as const)
    it(`${before - IAT} seconds from iat: ${answer}`, async () => {
      expect(await checkWith([{ name: "sub:sub-1", metadata: { before } }])).toBe(answer);
      expect(await checkWith([{ name: "sub:sub-1", text: JSON.stringify({ before }) }])).toBe(answer);
    });

  it("is compared with iat and its fraction", async () => {
    const listed = [{ name: "sub:sub-1", metadata: { before: IAT } }];
    expect(await checkWith(listed, REVOCABLE, IAT - 0.001)).toBe("revoked");
    expect(await checkWith(listed, REVOCABLE, IAT)).toBe("live");
  });

  it("revokes all tokens where the document has none, however far in the future their iat", async () => {
    for (const entry of [{ metadata: {} }, { text: "{}" }, { text: "" }, {}])
      expect(await checkWith([{ name: "kid:kid-1", ...entry }], REVOCABLE, Number.MAX_VALUE)).toBe("revoked");
  });

  it("of one kind revokes, though another's spares", async () => {
    const spared = { before: IAT - 1 };
    for (const kind of REVOCATION_KINDS) {
      const listed = REVOCATION_KINDS.map((each) => ({
        name: `${each}:${REVOCABLE[each]}`,
        metadata: each === kind ? {} : spared,
      }));
      expect(await checkWith(listed)).toBe("revoked");
    }
  });
});

describe("the document", () => {
  const revokedThen = { before: IAT + 1 };

  it("is the metadata where there is one, whatever the value", async () => {
    expect(await checkWith([{ name: "sub:sub-1", metadata: { before: IAT }, text: "" }])).toBe("live");
    expect(await checkWith([{ name: "sub:sub-1", metadata: revokedThen, text: '{"before":1}' }])).toBe(
      "revoked",
    );
    expect(await checkWith([{ name: "sub:sub-1", metadata: { before: IAT }, text: "{" }])).toBe("live");
  });

  it("is the value where there is no metadata", async () => {
    for (const metadata of [undefined, null]) {
      expect(await checkWith([{ name: "sub:sub-1", metadata, text: '{"before":1}' }])).toBe("live");
      expect(await checkWith([{ name: "sub:sub-1", metadata, text: JSON.stringify(revokedThen) }])).toBe(
        "revoked",
      );
    }
  });

  it("may hold more, such as a reason", async () => {
    expect(await checkWith([{ name: "sub:sub-1", metadata: { before: 1, reason: "stolen" } }])).toBe("live");
  });

  const MALFORMED: readonly RevocationEntry[] = [
    ...[
      "{",
      "garbage",
      "null",
      "7",
      '"x"',
      "[]",
      '[{"before":1}]',
      '{"before":null}',
      '{"before":"1"}',
      " ",
    ].map((text) => ({ name: "sub:sub-1", text })),
    ...[
      "x",
      7,
      0,
      false,
      "",
      [],
      [1],
      { before: null },
      { before: "1" },
      { before: Number.NaN },
      { before: Number.POSITIVE_INFINITY },
      { before: [1] },
    ].map((metadata) => ({ name: "sub:sub-1", metadata })),
  ];
  for (const entry of MALFORMED)
    it(`is malformed, and unavailable for its own tokens alone: ${JSON.stringify(entry)}`, async () => {
      expect(await checkWith([entry])).toBe("unavailable");
      expect(scope.notices).toEqual([{ event: "revocation_malformed", entries: 1 }]);
      expect(await check({ ...REVOCABLE, sub: "sub-2" })).toBe("live");
      expect(listings).toBe(1);
    });

  it("does not hide that another entry revokes, wherever that stands", async () => {
    for (const kind of ["jti", "kid"] as const) {
      const listed = [
        { name: "sub:sub-1", text: "{" },
        { name: `${kind}:${REVOCABLE[kind]}`, metadata: {} },
      ];
      expect(await checkWith(listed)).toBe("revoked");
      expect(await checkWith(listed.toReversed())).toBe("revoked");
    }
  });

  it("stays unavailable where another entry spares the token", async () => {
    expect(
      await checkWith([
        { name: "jti:jti-1", text: "{" },
        { name: "kid:kid-1", metadata: { before: 1 } },
      ]),
    ).toBe("unavailable");
  });

  it("is counted in one report for a listing, and in none where all are sound", async () => {
    await checkWith([
      { name: "sub:sub-1", text: "{" },
      { name: "sub:sub-2", metadata: 7 },
      { name: "sub:sub-3", metadata: {} },
    ]);
    expect(scope.notices).toEqual([{ event: "revocation_malformed", entries: 2 }]);
    await checkWith([{ name: "sub:sub-3", metadata: {} }]);
    expect(scope.notices).toHaveLength(1);
  });
});

describe("the listing", () => {
  it("is made once for concurrent requests, then used without a promise", async () => {
    const answers = await Promise.all(Array.from({ length: 50 }, () => check()));
    expect(new Set(answers)).toEqual(new Set(["live"]));
    expect(checkNow()).toBe("live");
    expect(listings).toBe(1);
  });

  it("is renewed behind a request from 20 seconds on", async () => {
    await check();
    entries = [{ name: "sub:sub-1", metadata: {} }];
    await scope.advance(19_999);
    expect(checkNow()).toBe("live");
    expect(listings).toBe(1);
    await scope.advance(1);
    expect(checkNow()).toBe("live");
    await scope.settled();
    expect(listings).toBe(2);
    expect(checkNow()).toBe("revoked");
  });

  it("is waited for at 30 seconds: a revocation is never older than that while KV answers", async () => {
    await check();
    entries = [{ name: "sub:sub-1", metadata: {} }];
    await scope.advance(30_000);
    expect(await check()).toBe("revoked");
  });

  it("forgets what is no longer listed", async () => {
    entries = [{ name: "sub:sub-1", metadata: {} }];
    expect(await check()).toBe("revoked");
    entries = [];
    await scope.advance(30_000);
    expect(await check()).toBe("live");
  });

  it("is unavailable while none was ever made, and each failure is reported", async () => {
    onList = () => Promise.reject(new Error("down"));
    expect(await check()).toBe("unavailable");
    expect(await check(NOTHING)).toBe("unavailable");
    expect(scope.notices).toEqual([
      { event: "revocations_read_failed" },
      { event: "revocations_read_failed" },
    ]);
    onList = undefined;
    expect(await check()).toBe("live");
  });

  it("serves until a millisecond before 5 minutes while none can be made, and not at 5 minutes", async () => {
    entries = [{ name: "sub:sub-1", metadata: {} }];
    await check();
    onList = () => Promise.reject(new Error("down"));
    await scope.advance(299_999);
    expect(await check()).toBe("revoked");
    expect(await check({ ...REVOCABLE, sub: "sub-2" })).toBe("live");
    await scope.advance(1);
    expect(await check()).toBe("unavailable");
  });

  it("that hangs makes nobody wait longer than 11 seconds", async () => {
    onList = () => createLatch<readonly RevocationEntry[]>().promise;
    const answer = check();
    await scope.advance(11_000);
    expect(await answer).toBe("unavailable");
  });

  it("is waited for for 10 seconds, by those who come later too", async () => {
    const latch = createLatch<readonly RevocationEntry[]>();
    onList = () => latch.promise;
    const early = check();
    await scope.advance(6_000);
    const late = check();
    await scope.advance(4_000);
    latch.open([{ name: "sub:sub-1", metadata: {} }]);
    expect(await Promise.all([early, late])).toEqual(["revoked", "revoked"]);
    expect(listings).toBe(1);
  });

  it("of 10,000 entries is made once and answers at once", async () => {
    entries = Array.from({ length: 10_000 }, (_, index) => ({
      name: `sub:sub-${index}`,
      metadata: { before: 1 },
    }));
    await check();
    for (let index = 0; index < 10_000; index += 1)
      expect(checkNow({ ...NOTHING, sub: `sub-${index}` }, 0)).toBe("revoked");
    expect(listings).toBe(1);
  });
});
