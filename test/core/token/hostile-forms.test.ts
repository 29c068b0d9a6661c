import { base64url } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { createDecider, type Decider } from "../../support/decide.ts";
import { type Content, segment, signingInput, signRaw } from "../../support/forge.ts";
import { createSigningKey, idClaims, type SigningKey, sign } from "../../support/tokens.ts";

const NOW = 1_800_000_000;
const ISSUER = "https://cognito.example/us-east-2_A";
const HEADER = { kid: "k1", alg: "RS256" };
const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const encoder = new TextEncoder();

let key: SigningKey;
let attacker: SigningKey;
let decider: Decider;
let good: string;

const claims = (overrides: Record<string, unknown> = {}) => idClaims(ISSUER, NOW, overrides);
const cutUp = (token: string): [string, string, string] => {
  const [header = "", payload = "", signature = ""] = token.split(".");
  return [header, payload, signature];
};
const outcomeOf = async (authorization: string): Promise<string> => {
  const decision = await decider.decide({ headers: { authorization } });
  return decision.kind === "refuse" ? decision.refusal.code : decision.kind;
};

beforeAll(async () => {
  [key, attacker] = await Promise.all([createSigningKey("k1"), createSigningKey("evil")]);
  decider = createDecider({ pools: [{ issuer: ISSUER, keys: () => [key.jwk] }], now: () => NOW * 1000 });
  good = await sign(key, claims());
});

describe("the Authorization value", () => {
  it("accepts a token with and without its scheme, in any case and with any number of blanks", async () => {
    for (const value of [good, `Bearer ${good}`, `bearer ${good}`, `BEARER    ${good}`])
      expect(await outcomeOf(value)).toBe("forward");
  });

  it("takes an absent or empty value for a missing token", async () => {
    const none = await decider.decide({});
    expect(none).toMatchObject({ kind: "refuse", refusal: { code: "missing_token" } });
    expect(await outcomeOf("")).toBe("missing_token");
  });

  it("refuses other schemes, two tokens and anything around the token", async () => {
    const values = [
      "Bearer",
      "Bearer x",
      `Basic ${good}`,
      `DPoP ${good}`,
      `Bearer: ${good}`,
      `Bearer=${good}`,
      `Bearer\t${good}`,
      `Bearer Bearer ${good}`,
      `Bearer ${good}, Bearer ${good}`,
      `Bearer ${good},`,
      `Bearer ${good} x`,
      `Bearer "${good}"`,
      `Bearer <${good}>`,
      `Bearer token="${good}"`,
      `Bearer${good}`,
      `${good}, ${good}`,
      `${good} ${good}`,
    ];
    for (const value of values) expect(await outcomeOf(value), value.slice(0, 20)).toBe("malformed_token");
  });

  it("looks at nothing but the header", async () => {
    const decision = await decider.decide({
      url: `https://api.example/x?access_token=${good}&token=${good}`,
      headers: { cookie: `token=${good}`, "x-authorization": good, "proxy-authorization": `Bearer ${good}` },
    });
    expect(decision).toMatchObject({ kind: "refuse", refusal: { code: "missing_token" } });
  });
});

describe("the compact form", () => {
  it("refuses 1, 2, 4 and 5 segments, and empty ones", async () => {
    const [h, p, s] = cutUp(good);
    const tokens = [
      h,
      `${h}.${p}`,
      `${h}.${s}`,
      `${h}.${p}.${s}.`,
      `.${h}.${p}.${s}`,
      `${h}.${p}.${s}.${s}`,
      `${h}.${p}.${s}.${s}.${s}`,
      `${h}..${p}.${s}`,
      `${h}..${s}`,
      `.${p}.${s}`,
      `${h}.${p}.`,
      "..",
      ".",
    ];
    for (const token of tokens) expect(await decider.outcome(token)).toBe("malformed_token");
  });

  it("refuses padding, blanks and strange characters anywhere", async () => {
    const [h, p, s] = cutUp(good);
    const inserted = ["=", "==", " ", "\t", "+", "/", "~", "!", "%", '"', "\\", ":", "$", "*"];
    for (const text of inserted) {
      for (const token of [`${h}${text}.${p}.${s}`, `${h}.${p}${text}.${s}`, `${h}.${p}.${text}${s}`])
        expect(await decider.outcome(token), text).toBe("malformed_token");
      for (const part of [0, 1, 2] as const) {
        const parts = cutUp(good);
        parts[part] = `${parts[part].slice(0, 10)}${text}${parts[part].slice(10)}`;
        expect(await decider.outcome(parts.join(".")), text).toBe("malformed_token");
      }
    }
    expect(await decider.outcome(`${h}.${p}.${s}=`)).toBe("malformed_token");
    expect(await decider.outcome(`${h}.${p}.${s}==`)).toBe("malformed_token");
  });

  it("refuses every other spelling of the same bytes: bits that no byte uses", async () => {
    const wide = await signRaw(key, { ...HEADER, x: "1" }, { ...claims(), x: "" });
    for (const token of [good, wide, await signRaw(key, { ...HEADER, x: "12" }, { ...claims(), x: "1" })])
      for (const part of [0, 1, 2] as const) {
        const parts = cutUp(token);
        const text = parts[part];
        if (text.length % 4 === 0) continue;
        const last = ALPHABET.indexOf(text.slice(-1));
        const unused = text.length % 4 === 2 ? 16 : 4;
        for (let bits = 1; bits < unused; bits += 1) {
          parts[part] = text.slice(0, -1) + ALPHABET.charAt(last + bits);
          expect(base64url.decode(parts[part])).toEqual(base64url.decode(text));
          expect(await decider.outcome(parts.join("."))).toBe("malformed_token");
        }
      }
  });

  it("refuses segments of an impossible length", async () => {
    const [h, p, s] = cutUp(good);
    expect(await decider.outcome(`${h}.${p}.A`)).toBe("malformed_token");
    expect(await decider.outcome(`A.${p}.${s}`)).toBe("malformed_token");
    const odd = p.length % 4 === 1 ? p : p + "A".repeat((5 - (p.length % 4)) % 4);
    expect(await decider.outcome(`${h}.${odd}.${s}`)).toBe("malformed_token");
  });

  it("accepts a token of 8,192 characters and refuses one of 8,193", async () => {
    const ofLength = async (length: number): Promise<string | undefined> => {
      const base = (await signRaw(key, HEADER, { ...claims(), x: "" })).length;
      for (let fill = Math.floor(((length - base) * 3) / 4) - 4; fill < length; fill += 1) {
        const token = await signRaw(key, HEADER, { ...claims(), x: "x".repeat(fill) });
        if (token.length === length) return token;
        if (token.length > length) return undefined;
      }
      return undefined;
    };
    const longest = (await ofLength(8192)) ?? (await ofLength(8191)) ?? "";
    const tooLong = (await ofLength(8193)) ?? (await ofLength(8194)) ?? "";
    expect(await decider.outcome(longest)).toBe("forward");
    expect(await decider.outcome(tooLong)).toBe("malformed_token");
    expect(await decider.outcome("A".repeat(1_000_000))).toBe("malformed_token");
    expect(await decider.outcome(".".repeat(1_000_000))).toBe("malformed_token");
    expect(await decider.outcome("A.".repeat(500_000))).toBe("malformed_token");
  });
});

describe("the JSON in it", () => {
  const json = () => JSON.stringify(claims());
  const utf16 = (text: string): Uint8Array =>
    new Uint8Array(
      [...text].flatMap((character) => [character.charCodeAt(0) & 255, character.charCodeAt(0) >> 8]),
    );
  const spoil = (text: string, bytes: number[]): Uint8Array => {
    const [before = "", after = ""] = text.split("ada");
    return new Uint8Array([...encoder.encode(before), ...bytes, ...encoder.encode(after)]);
  };

  it("refuses payloads that are no JSON object, really signed", async () => {
    const payloads = [
      "[]",
      `[${json()}]`,
      '"text"',
      "1",
      "null",
      "true",
      "{",
      "{}{}",
      `${json()}x`,
      `${json()}\u0000`,
      `//\n${json()}`,
      json().replace("{", "{,"),
      json().replaceAll('"', "'"),
      json().replace(`"exp":${NOW + 3600}`, '"exp":NaN'),
      json().replace(`"exp":${NOW + 3600}`, '"exp":Infinity'),
      json().replace(`"exp":${NOW + 3600}`, '"exp":0x7fffffff'),
      json().replace(`"exp":${NOW + 3600}`, '"exp":0123456789012'),
      json().replace(`"exp":${NOW + 3600}`, '"exp":+1900000000'),
      json().replace('"ada"', '"a\nb"'),
      `\u00a0${json()}`,
    ];
    for (const payload of payloads)
      expect(await decider.outcome(await signRaw(key, HEADER, payload)), payload.slice(0, 20)).toBe(
        "malformed_token",
      );
  });

  it("accepts blanks that JSON allows", async () => {
    expect(
      await decider.outcome(await signRaw(key, ` \r\n\t${JSON.stringify(HEADER)} `, ` ${json()}\n`)),
    ).toBe("forward");
  });

  it("refuses headers that are no JSON object, really signed", async () => {
    for (const header of ["[]", '"RS256"', "null", "1", `[${JSON.stringify(HEADER)}]`, "{", "foo"])
      expect(await decider.outcome(await signRaw(key, header, json()))).toBe("malformed_token");
  });

  it("refuses a byte order mark and UTF-16, in either segment", async () => {
    const bom = (text: string): string => `\ufeff${text}`;
    const header = JSON.stringify(HEADER);
    for (const [first, second] of [
      [bom(header), json()],
      [header, bom(json())],
      [header, utf16(json())],
      [utf16(header), json()],
      [header, new Uint8Array([0xff, 0xfe, ...utf16(json())])],
    ] satisfies [Content, Content][])
      expect(await decider.outcome(await signRaw(key, first, second))).toBe("malformed_token");
  });

  it("refuses bytes that are not UTF-8, in either segment", async () => {
    const sequences = {
      "a lone continuation": [0x80],
      "a lone lead byte": [0xc3],
      "an overlong slash": [0xc0, 0xaf],
      "an overlong NUL": [0xc0, 0x80],
      "a surrogate": [0xed, 0xa0, 0x80],
      "above U+10FFFF": [0xf4, 0x90, 0x80, 0x80],
      "five bytes": [0xf8, 0x88, 0x80, 0x80, 0x80],
      FF: [0xff],
    };
    for (const [name, bytes] of Object.entries(sequences)) {
      expect(await decider.outcome(await signRaw(key, HEADER, spoil(json(), bytes))), name).toBe(
        "malformed_token",
      );
      const header = spoil('{"kid":"k1","alg":"RS256","x":"ada"}', bytes);
      expect(await decider.outcome(await signRaw(key, header, json())), name).toBe("malformed_token");
    }
  });

  it("takes the last of duplicate members, as RFC 7515 section 4 lets it", async () => {
    const doubled = (text: string): string => json().replace("{", `{${text},`);
    expect(await decider.outcome(await signRaw(key, '{"alg":"none","kid":"k1","alg":"RS256"}', json()))).toBe(
      "forward",
    );
    expect(await decider.outcome(await signRaw(key, '{"alg":"RS256","kid":"k1","alg":"none"}', json()))).toBe(
      "invalid_signature",
    );
    expect(await decider.outcome(await signRaw(key, '{"alg":"RS256","kid":"k1","kid":"evil"}', json()))).toBe(
      "invalid_signature",
    );
    expect(await decider.outcome(await signRaw(key, HEADER, doubled('"exp":9999999999')))).toBe("forward");
    const expired = `${json().slice(0, -1)},"exp":1}`;
    expect(await decider.outcome(await signRaw(key, HEADER, expired))).toBe("token_expired");
    const foreign = `${json().slice(0, -1)},"iss":"https://evil.example"}`;
    expect(await decider.outcome(await signRaw(key, HEADER, foreign))).toBe("invalid_signature");
    const token = await signRaw(key, HEADER, doubled('"sub":"evil"'));
    const decision = await decider.decide({ headers: { authorization: token } });
    const headers = decision.kind === "forward" ? Object.fromEntries(decision.upstream.headers.set) : {};
    expect(headers["x-auth-sub"]).toBe(claims()["sub"]);
  });

  it("takes nothing from __proto__, constructor or prototype members", async () => {
    const inherited = JSON.stringify({ ...claims(), x: 1 });
    for (const name of ["__proto__", "constructor", "prototype"]) {
      expect(await decider.outcome(await signRaw(key, `{"${name}":${JSON.stringify(HEADER)}}`, json()))).toBe(
        "invalid_signature",
      );
      expect(
        await decider.outcome(await signRaw(key, HEADER, `{"${name}":${inherited},"iss":"${ISSUER}"}`)),
      ).toBe("invalid_claims");
      expect(await decider.outcome(await signRaw(key, HEADER, `{"${name}":${inherited}}`))).toBe(
        "invalid_signature",
      );
      const added = json().replace("{", `{"${name}":{"custom:tenant_id":"evil","crit":["x"]},`);
      expect(await decider.outcome(await signRaw(key, HEADER, added))).toBe("forward");
    }
    expect(Object.hasOwn(Object.prototype, "custom:tenant_id")).toBe(false);
    expect(Object.hasOwn(Object.prototype, "crit")).toBe(false);
  });

  it("gives no tenant to a claim that only a prototype holds", async () => {
    const payload = `{"__proto__":{"custom:tenant_id":"evil","custom:role":"admin"},${JSON.stringify(
      claims({ "custom:tenant_id": undefined, "custom:role": undefined }),
    ).slice(1)}`;
    const decision = await decider.decide({
      headers: { authorization: await signRaw(key, HEADER, payload) },
    });
    const headers = decision.kind === "forward" ? Object.fromEntries(decision.upstream.headers.set) : {};
    expect(headers["x-auth-caller"]).toBe("user");
    expect(headers["x-tenant-id"]).toBeUndefined();
    expect(headers["x-auth-role"]).toBeUndefined();
  });

  it("survives nesting as deep as a token can hold", async () => {
    for (const open of ["[", '{"a":']) {
      const deep = open.repeat(Math.floor(5_000 / open.length));
      expect(await decider.outcome(await signRaw(key, HEADER, deep))).toBe("malformed_token");
      expect(await decider.outcome(await signRaw(key, deep, json()))).toBe("malformed_token");
    }
    const closed = `${"[".repeat(2_000)}${"]".repeat(2_000)}`;
    expect(await decider.outcome(await signRaw(key, HEADER, json().replace("{", `{"x":${closed},`)))).toBe(
      "forward",
    );
  });
});

describe("the header's other members", () => {
  it("never follows jku, jwk, x5u or x5c", async () => {
    const lures = {
      jku: "https://evil.example/jwks.json",
      x5u: "https://evil.example/cert.pem",
      jwk: attacker.jwk,
      x5c: ["MIIB"],
      x5t: "AAAA",
      "x5t#S256": "AAAA",
    };
    const before = decider.fetched.length;
    for (const [name, value] of Object.entries(lures)) {
      const forged = await signRaw(attacker, { ...HEADER, [name]: value }, claims());
      expect(await decider.outcome(forged), name).toBe("invalid_signature");
      const noKid = await signRaw(attacker, { alg: "RS256", [name]: value }, claims());
      expect(await decider.outcome(noKid), name).toBe("invalid_signature");
      const genuine = await signRaw(key, { ...HEADER, [name]: value }, claims());
      expect(await decider.outcome(genuine), name).toBe("forward");
    }
    const asked = decider.fetched.slice(before);
    expect(asked.filter((url) => !url.startsWith(ISSUER))).toEqual([]);
  });

  it("refuses crit, whatever it names, even from the very key", async () => {
    for (const crit of [["exp"], ["b64"], ["alg"], ["x"], [], [[]], "exp", "", null, 0, true, {}]) {
      const token = await signRaw(key, { ...HEADER, crit, x: 1, b64: true, exp: NOW }, claims());
      expect(await decider.outcome(token), JSON.stringify(crit)).toBe("invalid_signature");
    }
  });

  it("refuses an unencoded payload (RFC 7797)", async () => {
    const header = segment({ ...HEADER, b64: false, crit: ["b64"] });
    const payload = JSON.stringify(claims());
    const bytes = await crypto.subtle.sign(
      "RSASSA-PKCS1-v1_5",
      key.privateKey,
      encoder.encode(`${header}.${payload}`),
    );
    const signature = base64url.encode(new Uint8Array(bytes));
    expect(await decider.outcome(`${header}.${payload}.${signature}`)).toBe("malformed_token");
    expect(await decider.outcome(`${header}.${segment(payload)}.${signature}`)).toBe("invalid_signature");
    const uncritical = segment({ ...HEADER, b64: false });
    expect(await decider.outcome(`${uncritical}.${segment(payload)}.${signature}`)).toBe("invalid_signature");
  });

  it("needs no typ and minds none", async () => {
    for (const typ of ["JWT", "at+jwt", "jose", "", 1, null])
      expect(await decider.outcome(await signRaw(key, { ...HEADER, typ, cty: "JWT" }, claims()))).toBe(
        "forward",
      );
  });

  const KIDS: readonly unknown[] = [
    1,
    0,
    1.5,
    true,
    null,
    [],
    ["k1"],
    { 0: "k1" },
    "",
    "K1",
    "k1 ",
    " k1",
    "k1\u0000",
    "k1/",
    "k%31",
    "ｋ1",
    "../../../../dev/null",
    "/etc/passwd",
    "..\\..\\k1",
    "k1' OR '1'='1",
    "x' UNION SELECT 'key",
    "k1\r\nx-auth-sub: evil",
    "__proto__",
    "constructor",
    "toString",
    "hasOwnProperty",
    "valueOf",
    "https://evil.example/jwks.json",
    "\ud800",
    "%24{jndi:ldap://evil.example/a}",
    "x".repeat(5_000),
  ];
  for (const kid of KIDS)
    it(`refuses the very key's signature under kid ${String(JSON.stringify(kid)).slice(0, 40)}`, async () => {
      expect(await decider.outcome(await signRaw(key, { alg: "RS256", kid }, claims()))).toBe(
        "invalid_signature",
      );
    });

  it("refuses a header without kid, though there is but one key", async () => {
    expect(await decider.outcome(await signRaw(key, { alg: "RS256" }, claims()))).toBe("invalid_signature");
  });

  it("refuses a kid of 10 KB before it looks at it", async () => {
    const token = await signRaw(key, { alg: "RS256", kid: "k".repeat(10_240) }, claims());
    expect(await decider.outcome(token)).toBe("malformed_token");
  });
});

describe("parts of other tokens", () => {
  it("refuses a known token's signature with another payload, and its payload with another signature", async () => {
    const mine = await sign(key, claims({ sub: "me" }));
    const others = await sign(key, claims({ sub: "other", "custom:tenant_id": "globex" }));
    for (let round = 0; round < 3; round += 1) {
      for (const token of [mine, others]) expect(await decider.outcome(token)).toBe("forward");
      const [h, p, s] = cutUp(mine);
      const [, otherPayload, otherSignature] = cutUp(others);
      const admin = segment(claims({ sub: "me", "custom:role": "owner" }));
      const spliced = [
        `${h}.${otherPayload}.${s}`,
        `${h}.${p}.${otherSignature}`,
        `${h}.${admin}.${s}`,
        `${h}.${admin}.${otherSignature}`,
        `${segment({ ...HEADER, typ: "JWT" })}.${p}.${s}`,
        `${segment({ alg: "RS256", kid: "k1" })}.${p}.${s}`, // the same members in another order
        `${h}.${p}.${s.slice(0, -2)}AA`,
      ];
      for (const token of spliced) expect(await decider.outcome(token)).toBe("invalid_signature");
    }
  });

  it("refuses a known token that has expired since, or whose key is gone, or whose kid is another key now", async () => {
    let now = NOW * 1000;
    let keys = [key.jwk];
    const cached = createDecider({ pools: [{ issuer: ISSUER, keys: () => keys }], now: () => now });
    const token = await sign(key, claims({ exp: NOW + 60 }));
    const longer = await sign(key, claims());
    expect(await cached.outcome(token)).toBe("forward");
    expect(await cached.outcome(longer)).toBe("forward");
    now += 59_999;
    expect(await cached.outcome(token)).toBe("forward");
    now += 1;
    expect(await cached.outcome(token)).toBe("token_expired");
    keys = [{ ...attacker.jwk, kid: "k1" }];
    now += 11 * 60_000; // past the set's freshness: the next request refreshes in the background
    await cached.outcome(longer);
    await cached.settled();
    expect(await cached.outcome(longer)).toBe("invalid_signature");
    keys = [attacker.jwk];
    now += 11 * 60_000;
    await cached.outcome(longer);
    await cached.settled();
    expect(await cached.outcome(longer)).toBe("invalid_signature");
  });

  it("refuses every token with one character replaced", async () => {
    expect(await decider.outcome(good)).toBe("forward");
    for (let index = 0; index < good.length; index += 1) {
      const other = good[index] === "A" ? "B" : "A";
      const token = good.slice(0, index) + other + good.slice(index + 1);
      expect(await decider.outcome(token), `character ${index}`).not.toBe("forward");
    }
  });

  it("refuses every prefix and every suffix of a token", async () => {
    for (let index = 1; index < good.length; index += 7) {
      expect(await decider.outcome(good.slice(0, -index))).not.toBe("forward");
      expect(await decider.outcome(good.slice(index))).not.toBe("forward");
    }
    expect(signingInput(HEADER, claims())).toBe(good.slice(0, good.lastIndexOf(".")));
  });
});
