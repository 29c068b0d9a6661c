import { base64url } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import {
  importKeySet,
  type KeySetDocument,
  type PublicJwk,
  parseDocument,
  parseJwks,
} from "../../../src/core/token/key-set.ts";
import { hex } from "../../support/forge.ts";
import { createSigningKey, type SigningKey } from "../../support/tokens.ts";

/** A modulus of so many bits, as base64url; leading zero bytes on demand. */
function modulus(bits: number, leadingZeros = 0): string {
  const bytes = new Uint8Array(leadingZeros + Math.ceil(bits / 8)).fill(0xff, leadingZeros);
  bytes[leadingZeros] = 0xff >> ((8 - (bits % 8)) % 8);
  return base64url.encode(bytes);
}

const exponent = (text: string): string => base64url.encode(new Uint8Array(hex(text)));

const jwk = (members: Record<string, unknown> = {}): Record<string, unknown> => ({
  kid: "k",
  kty: "RSA",
  n: modulus(2048),
  e: "AQAB",
  ...members,
});

const kidsOf = (...keys: readonly unknown[]): string[] | undefined =>
  parseJwks({ keys })?.map(({ kid }) => kid);
const isUsable = (members: Record<string, unknown>): boolean => kidsOf(jwk(members)) !== undefined;

describe("a usable key", () => {
  it("is reduced to the members that verification needs", () => {
    expect(parseJwks({ keys: [jwk({ d: "secret", x5c: [], use: "sig", alg: "RS256" })] })).toEqual([
      { kid: "k", n: modulus(2048), e: "AQAB" },
    ]);
  });

  for (const [bits, usable] of [
    [512, false],
    [1024, false],
    [2040, false],
    [2047, false],
    [2048, true],
    [2049, true],
    [3072, true],
    [4096, true],
  ] as const)
    it(`of ${bits} bits is ${usable ? "taken" : "ignored"}`, () => {
      expect(isUsable({ n: modulus(bits) })).toBe(usable);
    });

  it("is measured by its modulus, not by the bytes in which that is written", () => {
    expect(isUsable({ n: modulus(2048, 1) })).toBe(true);
    expect(isUsable({ n: modulus(2047, 1) })).toBe(false);
    expect(isUsable({ n: modulus(1024, 256) })).toBe(false);
    expect(isUsable({ n: base64url.encode(new Uint8Array(256)) })).toBe(false);
    expect(isUsable({ n: "" })).toBe(false);
  });

  for (const [e, usable, name] of [
    ["", false, "none"],
    ["00", false, "0"],
    ["01", false, "1"],
    ["00 01", false, "1 in two bytes"],
    ["02", false, "2"],
    ["03", true, "3"],
    ["00 03", true, "3 in two bytes"],
    ["04", false, "4"],
    ["05", true, "5"],
    ["11", true, "17"],
    ["01 00 00", false, "65536"],
    ["01 00 01", true, "65537"],
    ["ff ff ff fe", false, "2^32 - 2"],
    ["ff ff ff ff", true, "2^32 - 1"],
    ["01 00 00 00 00", false, "2^32"],
    ["01 00 00 00 01", false, "2^32 + 1"],
    ["00 ff ff ff ff", true, "2^32 - 1 in five bytes"],
  ] as const)
    it(`with the exponent ${name} is ${usable ? "taken" : "ignored"}`, () => {
      expect(isUsable({ e: exponent(e) })).toBe(usable);
    });

  for (const [name, members, usable] of [
    ["kty EC", { kty: "EC" }, false],
    ["kty rsa", { kty: "rsa" }, false],
    ["kty oct", { kty: "oct" }, false],
    ["no kty", { kty: undefined }, false],
    ["use sig", { use: "sig" }, true],
    ["use enc", { use: "enc" }, false],
    ["use null", { use: null }, false],
    ["alg RS256", { alg: "RS256" }, true],
    ["alg RS384", { alg: "RS384" }, false],
    ["alg PS256", { alg: "PS256" }, false],
    ["alg RSA-OAEP", { alg: "RSA-OAEP" }, false],
    ["alg null", { alg: null }, false],
    ["key_ops verify", { key_ops: ["verify"] }, true],
    ["key_ops encrypt", { key_ops: ["encrypt"] }, false],
    ["key_ops none", { key_ops: [] }, false],
    ["no kid", { kid: undefined }, false],
    ["an empty kid", { kid: "" }, false],
    ["a number as kid", { kid: 7 }, false],
    ["no n", { n: undefined }, false],
    ["a number as n", { n: 7 }, false],
    ["n that is no base64url", { n: `${modulus(2048)}!` }, false],
    ["no e", { e: undefined }, false],
    ["a number as e", { e: 65537 }, false],
    ["e that is no base64url", { e: "AQ*B" }, false],
  ] as const)
    it(`with ${name} is ${usable ? "taken" : "ignored"}`, () => {
      expect(isUsable(members)).toBe(usable);
    });

  it("is taken beside others that are ignored", () => {
    expect(
      kidsOf(null, "key", 7, [], {}, jwk({ kid: "weak", e: "AQ" }), jwk(), { kty: "EC", kid: "ec" }),
    ).toEqual(["k"]);
  });

  it("keeps its order among several", () => {
    expect(kidsOf(jwk({ kid: "c" }), jwk({ kid: "a" }), jwk({ kid: "b" }))).toEqual(["c", "a", "b"]);
  });
});

describe("keys that share a kid", () => {
  it("are ignored, all of them, since which is meant cannot be told", () => {
    expect(kidsOf(jwk({ kid: "twin" }), jwk(), jwk({ kid: "twin", e: "Aw" }))).toEqual(["k"]);
    expect(kidsOf(jwk({ kid: "twin" }), jwk({ kid: "twin" }), jwk({ kid: "twin" }))).toBeUndefined();
  });

  it("are not taken for twins of keys that are ignored anyway", () => {
    expect(kidsOf(jwk(), { kid: "k", kty: "EC", crv: "P-256", x: "AA", y: "AA" })).toEqual(["k"]);
  });
});

describe("an answer that is no usable set", () => {
  for (const body of [undefined, null, "", "keys", 7, true, [], [jwk()], {}, { keys: null }, { keys: {} }])
    it(`is ${JSON.stringify(body)?.slice(0, 40)}`, () => {
      expect(parseJwks(body)).toBeUndefined();
    });

  it("is one whose keys are all ignored", () => {
    expect(kidsOf()).toBeUndefined();
    expect(kidsOf(jwk({ kty: "EC" }), jwk({ use: "enc" }))).toBeUndefined();
  });
});

describe("a stored document", () => {
  const NOW = 1_800_000_000_000;
  const stored = { issuer: "https://a.example", fetched_at_ms: NOW, keys: [jwk()] };
  const parse = (value: unknown): KeySetDocument | undefined =>
    parseDocument(value, "https://a.example", NOW);

  it("is taken with the members that verification needs", () => {
    expect(parse({ ...stored, extra: 1 })).toEqual({
      ...stored,
      keys: [{ kid: "k", n: modulus(2048), e: "AQAB" }],
    });
  });

  it("may lie 5 seconds in the future, and no millisecond more", () => {
    expect(parse({ ...stored, fetched_at_ms: NOW + 5_000 })?.fetched_at_ms).toBe(NOW + 5_000);
    expect(parse({ ...stored, fetched_at_ms: NOW + 5_001 })).toBeUndefined();
  });

  it("is checked for strength anew", () => {
    expect(parse({ ...stored, keys: [jwk({ n: modulus(2047) })] })).toBeUndefined();
    expect(parse({ ...stored, keys: [jwk({ n: modulus(2047), kid: "weak" }), jwk()] })?.keys).toHaveLength(1);
  });
});

describe("an import", () => {
  let a: SigningKey;
  let b: SigningKey;

  beforeAll(async () => {
    [a, b] = await Promise.all([createSigningKey("a"), createSigningKey("b")]);
  });

  const document = (...keys: readonly SigningKey[]): KeySetDocument => ({
    issuer: "https://a.example",
    fetched_at_ms: 1,
    keys: keys.map(({ kid, jwk: { n = "", e = "" } }) => ({ kid, n, e })),
  });

  it("gives keys that verify RS256 and nothing else, and cannot be exported as private ones", async () => {
    const key = (await importKeySet(document(a), undefined))?.keys.get("a");
    expect(key?.algorithm).toMatchObject({ name: "RSASSA-PKCS1-v1_5", hash: { name: "SHA-256" } });
    expect(key?.usages).toEqual(["verify"]);
    expect(key?.type).toBe("public");
    expect(key?.extractable).toBe(false);
  });

  it("keeps the keys that the set before held with the same kid and numbers", async () => {
    const before = await importKeySet(document(a), undefined);
    const after = await importKeySet(document(b, a), before);
    expect([...(after?.keys.keys() ?? [])]).toEqual(["b", "a"]);
    expect(after?.keys.get("a")).toBe(before?.keys.get("a"));
  });

  it("imports anew where the kid, the modulus or the exponent differs", async () => {
    const before = await importKeySet(document(a), undefined);
    const held = before?.keys.get("a");
    const of = async (members: { kid?: string; n?: string; e?: string }): Promise<unknown[]> => {
      const base = document(a);
      const changed = { ...base, keys: base.keys.map((key) => ({ ...key, ...members })) };
      return [...((await importKeySet(changed, before))?.keys.values() ?? [])];
    };
    expect((await of({}))[0]).toBe(held);
    for (const members of [{ kid: "b" }, { n: b.jwk.n ?? "" }, { e: "Aw" }]) {
      const keys = await of(members);
      expect(keys).toHaveLength(1);
      expect(keys[0]).not.toBe(held);
    }
  });

  it("leaves out a key that the runtime refuses, and is none where no key is left", async () => {
    const refused = { kid: "x", e: "AQAB" } as PublicJwk; // what no runtime imports
    const mixed = { ...document(a), keys: [refused, ...document(a).keys] };
    expect([...((await importKeySet(mixed, undefined))?.keys.keys() ?? [])]).toEqual(["a"]);
    expect(await importKeySet({ ...document(a), keys: [refused] }, undefined)).toBeUndefined();
  });
});
