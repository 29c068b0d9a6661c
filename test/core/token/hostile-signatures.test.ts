import { base64url, exportJWK, exportSPKI } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { createDecider, type Decider } from "../../support/decide.ts";
import {
  cubeRoot,
  DIGEST_INFO,
  encodeMessage,
  hex,
  type RawRsa,
  rawRsaOf,
  signingInput,
  toBytes,
} from "../../support/forge.ts";
import { createSigningKey, idClaims, type SigningKey, sign } from "../../support/tokens.ts";

const NOW = 1_800_000_000;
const ISSUER = "https://cognito.example/us-east-2_A";
const HEADER = { kid: "k1", alg: "RS256" };
const encoder = new TextEncoder();

let key: SigningKey;
let rsa: RawRsa;
let decider: Decider;
let input: string;
let hash: number[];

const digest = async (name: string, text: string): Promise<number[]> => [
  ...new Uint8Array(await crypto.subtle.digest(name, encoder.encode(text))),
];
const withSignature = (signature: Uint8Array, text = input): string =>
  `${text}.${base64url.encode(signature)}`;
/** The token of an encoded message, whatever it says, under the bare RSA operation. */
const forge = (encoded: Uint8Array): string => withSignature(toBytes(rsa.sign(encoded), rsa.modulusBytes));

beforeAll(async () => {
  key = await createSigningKey("k1");
  rsa = await rawRsaOf(key);
  decider = createDecider({ pools: [{ issuer: ISSUER, keys: () => [key.jwk] }], now: () => NOW * 1000 });
  input = signingInput(HEADER, idClaims(ISSUER, NOW));
  hash = await digest("SHA-256", input);
});

describe("PKCS#1 v1.5 encoding", () => {
  it("accepts the one encoding of RFC 8017, made with the bare RSA operation", async () => {
    const token = forge(encodeMessage([...DIGEST_INFO.sha256, ...hash], 256));
    expect(await decider.outcome(token)).toBe("forward");
  });

  /** What stands after the padding, from the hash. */
  const ENCODINGS: Record<string, (hash: number[]) => number[]> = {
    "no NULL parameters": (h) => [...hex("30 2f 30 0b 06 09 60 86 48 01 65 03 04 02 01 04 20"), ...h],
    "no DigestInfo": (h) => h,
    "an OCTET STRING alone": (h) => [0x04, 0x20, ...h],
    "the OID of SHA-1": (h) => [...hex("30 2d 30 09 06 05 2b 0e 03 02 1a 05 00 04 20"), ...h],
    "the OID of SHA-224": (h) => [...hex("30 31 30 0d 06 09 60 86 48 01 65 03 04 02 04 05 00 04 20"), ...h],
    "the OID of SHA-384": (h) => [...hex("30 31 30 0d 06 09 60 86 48 01 65 03 04 02 02 05 00 04 20"), ...h],
    "the OID of SHA-512": (h) => [...hex("30 31 30 0d 06 09 60 86 48 01 65 03 04 02 03 05 00 04 20"), ...h],
    "the OID of SHA-512/256": (h) => [
      ...hex("30 31 30 0d 06 09 60 86 48 01 65 03 04 02 06 05 00 04 20"),
      ...h,
    ],
    "an unknown OID": (h) => [...hex("30 31 30 0d 06 09 60 86 48 01 65 03 04 02 7f 05 00 04 20"), ...h],
    "garbage in the parameters": (h) => [
      ...hex("30 35 30 11 06 09 60 86 48 01 65 03 04 02 01 04 04 de ad be ef 04 20"),
      ...h,
    ],
    "a long-form length": (h) => [
      ...hex("30 81 31 30 0d 06 09 60 86 48 01 65 03 04 02 01 05 00 04 20"),
      ...h,
    ],
    "an indefinite length": (h) => [
      ...hex("30 80 30 0d 06 09 60 86 48 01 65 03 04 02 01 05 00 04 20"),
      ...h,
      0,
      0,
    ],
    "trailing garbage": (h) => [...DIGEST_INFO.sha256, ...h, 0xde, 0xad],
    "one trailing zero": (h) => [...DIGEST_INFO.sha256, ...h, 0],
    "a hash cut short": (h) => [...DIGEST_INFO.sha256, ...h.slice(0, 31)],
    "a hash cut short, its length told": (h) => [
      ...hex("30 30 30 0d 06 09 60 86 48 01 65 03 04 02 01 05 00 04 1f"),
      ...h.slice(0, 31),
    ],
    "an empty hash": () => hex("30 11 30 0d 06 09 60 86 48 01 65 03 04 02 01 05 00 04 00"),
    "the hash twice": (h) => [...DIGEST_INFO.sha256, ...h, ...h],
    "the hash backwards": (h) => [...DIGEST_INFO.sha256, ...h.toReversed()],
  };
  for (const [name, rest] of Object.entries(ENCODINGS))
    it(`refuses ${name}`, async () => {
      expect(await decider.outcome(forge(encodeMessage(rest(hash), 256)))).toBe("invalid_signature");
    });

  /** The whole message, from `DigestInfo` and hash. */
  const PADDINGS: Record<string, (info: number[]) => number[]> = {
    "eight bytes of padding and garbage behind the hash": (info) => {
      const start = [0, 1, ...new Array<number>(8).fill(0xff), 0, ...info];
      return [...start, ...new Array<number>(256 - start.length).fill(0x55)];
    },
    "eight bytes of padding and zeros behind the hash": (info) => {
      const start = [0, 1, ...new Array<number>(8).fill(0xff), 0, ...info];
      return [...start, ...new Array<number>(256 - start.length).fill(0)];
    },
    "no padding bytes": (info) => [0, 1, 0, ...info, ...new Array<number>(253 - info.length).fill(0)],
    "block type 0": (info) => [0, 0, ...encodeMessage(info, 256).slice(2)],
    "block type 2": (info) => [0, 2, ...encodeMessage(info, 256).slice(2)],
    "block type 2 and random padding": (info) => {
      const bytes = crypto.getRandomValues(new Uint8Array(253 - info.length)).map((byte) => byte || 1);
      return [0, 2, ...bytes, 0, ...info];
    },
    "a first byte of 1": (info) => [1, ...encodeMessage(info, 256).slice(1)],
    "no zero after the padding": (info) => [
      0,
      1,
      ...new Array<number>(254 - info.length).fill(0xff),
      ...info,
    ],
    "a zero within the padding": (info) =>
      Array.from(encodeMessage(info, 256), (byte, i) => (i === 100 ? 0 : byte)),
    "a padding byte of FE": (info) =>
      Array.from(encodeMessage(info, 256), (byte, i) => (i === 2 ? 0xfe : byte)),
    "padding of zeros": (info) => [0, 1, ...new Array<number>(254 - info.length).fill(0), ...info],
    "zeros before the block type": (info) => [0, ...encodeMessage(info, 255)],
  };
  for (const [name, message] of Object.entries(PADDINGS))
    it(`refuses ${name}`, async () => {
      const encoded = new Uint8Array([...message([...DIGEST_INFO.sha256, ...hash])]);
      expect(encoded.length).toBe(256);
      expect(await decider.outcome(forge(encoded))).toBe("invalid_signature");
    });

  for (const [info, name] of [
    [DIGEST_INFO.sha1, "SHA-1"],
    [DIGEST_INFO.sha384, "SHA-384"],
    [DIGEST_INFO.sha512, "SHA-512"],
  ] as const)
    it(`refuses a correct signature over ${name}`, async () => {
      const other = await digest(name, input);
      expect(await decider.outcome(forge(encodeMessage([...info, ...other], 256)))).toBe("invalid_signature");
      const mislabelled = encodeMessage([...DIGEST_INFO.sha256.slice(0, -1), other.length, ...other], 256);
      expect(await decider.outcome(forge(mislabelled))).toBe("invalid_signature");
    });

  it("refuses a hash under the DigestInfo of MD5", async () => {
    const encoded = encodeMessage([...DIGEST_INFO.md5, ...hash.slice(0, 16)], 256);
    expect(await decider.outcome(forge(encoded))).toBe("invalid_signature");
  });

  for (const saltLength of [0, 20, 32])
    it(`refuses PSS with ${saltLength} bytes of salt, made with the very key`, async () => {
      const jwk = { ...(await exportJWK(key.privateKey)), alg: "PS256" };
      const pss = await crypto.subtle.importKey("jwk", jwk, { name: "RSA-PSS", hash: "SHA-256" }, false, [
        "sign",
      ]);
      for (const alg of ["RS256", "PS256"]) {
        const text = signingInput({ ...HEADER, alg }, idClaims(ISSUER, NOW));
        const bytes = await crypto.subtle.sign({ name: "RSA-PSS", saltLength }, pss, encoder.encode(text));
        expect(await decider.outcome(withSignature(new Uint8Array(bytes), text))).toBe("invalid_signature");
      }
    });
});

describe("the signature as a number", () => {
  const good = async (): Promise<Uint8Array> => {
    const token = await sign(key, idClaims(ISSUER, NOW));
    return base64url.decode(token.slice(token.lastIndexOf(".") + 1));
  };
  const toNumber = (bytes: Uint8Array): bigint =>
    bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);

  it("refuses signature plus modulus, in a byte more and in as many", async () => {
    for (let attempt = 0; attempt < 12; attempt += 1) {
      const token = await sign(key, idClaims(ISSUER, NOW, { jti: `j${attempt}` }));
      const [text, signature] = [
        token.slice(0, token.lastIndexOf(".")),
        token.slice(token.lastIndexOf(".") + 1),
      ];
      const sum = toNumber(base64url.decode(signature)) + rsa.modulus;
      const fits = sum < 1n << 2048n;
      expect(await decider.outcome(token)).toBe("forward");
      for (const length of fits ? [256, 257] : [257])
        expect(await decider.outcome(withSignature(toBytes(sum, length), text))).toBe("invalid_signature");
    }
  });

  it("refuses 0, 1, the modulus and its neighbours", async () => {
    for (const value of [0n, 1n, 2n, rsa.modulus - 1n, rsa.modulus, rsa.modulus + 1n])
      expect(await decider.outcome(withSignature(toBytes(value, 256)))).toBe("invalid_signature");
  });

  it("refuses every wrong length", async () => {
    const bytes = await good();
    const token = await sign(key, idClaims(ISSUER, NOW));
    const text = token.slice(0, token.lastIndexOf("."));
    const spellings = [
      bytes.slice(0, 255),
      bytes.slice(1),
      bytes.slice(0, 128),
      bytes.slice(0, 1),
      new Uint8Array([0, ...bytes]),
      new Uint8Array([...bytes, 0]),
      new Uint8Array([...bytes, ...bytes]),
      new Uint8Array(1024),
    ];
    expect(await decider.outcome(withSignature(bytes, text))).toBe("forward");
    for (const spelling of spellings)
      expect(await decider.outcome(withSignature(spelling, text))).toBe("invalid_signature");
    expect(await decider.outcome(`${text}.`)).toBe("malformed_token");
  });

  it("refuses a signature whose leading zero byte is left out", async () => {
    for (let attempt = 0; attempt < 3_000; attempt += 1) {
      const text = signingInput(HEADER, idClaims(ISSUER, NOW, { jti: String(attempt) }));
      const bytes = new Uint8Array(
        await crypto.subtle.sign("RSASSA-PKCS1-v1_5", key.privateKey, encoder.encode(text)),
      );
      if (bytes[0] !== 0) continue;
      expect(await decider.outcome(withSignature(bytes, text))).toBe("forward");
      expect(await decider.outcome(withSignature(bytes.slice(1), text))).toBe("invalid_signature");
      return;
    }
    throw new Error("no signature began with a zero byte");
  });

  it("refuses bytes in the other order, and each of the 2,048 bits turned over", async () => {
    const token = await sign(key, idClaims(ISSUER, NOW));
    const text = token.slice(0, token.lastIndexOf("."));
    const bytes = base64url.decode(token.slice(token.lastIndexOf(".") + 1));
    expect(await decider.outcome(withSignature(bytes.toReversed(), text))).toBe("invalid_signature");
    for (let bit = 0; bit < 2048; bit += 1) {
      const turned = bytes.slice();
      turned[bit >> 3] = (turned[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(await decider.outcome(withSignature(turned, text))).toBe("invalid_signature");
    }
  });

  it("refuses cube roots where the key has the exponent 3", async () => {
    const jwk = { ...key.jwk, e: "Aw" };
    const cubic = createDecider({ pools: [{ issuer: ISSUER, keys: () => [jwk] }], now: () => NOW * 1000 });
    const prefix = [0, 1, ...new Array<number>(8).fill(0xff), 0, ...DIGEST_INFO.sha256, ...hash];
    const lowest = new Uint8Array([...prefix, ...new Array<number>(256 - prefix.length).fill(0)]);
    const root = cubeRoot(toNumber(lowest)) + 1n; // its cube begins with the whole prefix
    expect(toBytes(root ** 3n, 256).slice(0, prefix.length)).toEqual(new Uint8Array(prefix));
    expect(await cubic.outcome(withSignature(toBytes(root, 256)))).toBe("invalid_signature");
  });
});

describe("algorithm confusion", () => {
  const claims = () => idClaims(ISSUER, NOW);

  for (const alg of ["none", "None", "NONE", "nOnE"])
    it(`refuses alg ${alg}, with and without a signature`, async () => {
      const text = signingInput({ kid: "k1", alg }, claims());
      const real = await sign(key, claims());
      expect(await decider.outcome(`${text}.`)).toBe("malformed_token");
      expect(await decider.outcome(`${text}.AA`)).toBe("invalid_signature");
      expect(await decider.outcome(`${text}.${real.slice(real.lastIndexOf(".") + 1)}`)).toBe(
        "invalid_signature",
      );
    });

  it("refuses HMACs with every spelling of the public key as the secret", async () => {
    const pem = await exportSPKI(key.publicKey);
    const der = new Uint8Array(await crypto.subtle.exportKey("spki", key.publicKey));
    const secrets = [
      encoder.encode(pem),
      encoder.encode(pem.trimEnd()),
      encoder.encode(pem.replaceAll("\n", "")),
      der,
      encoder.encode(JSON.stringify(key.jwk)),
      encoder.encode(key.jwk.n ?? ""),
      new Uint8Array(base64url.decode(key.jwk.n ?? "")),
      encoder.encode("k1"),
      new Uint8Array(1),
    ];
    for (const secret of secrets)
      for (const [alg, hashName] of [
        ["HS256", "SHA-256"],
        ["HS384", "SHA-384"],
        ["HS512", "SHA-512"],
        ["RS256", "SHA-256"],
      ] as const) {
        const mac = await crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: hashName }, false, [
          "sign",
        ]);
        const text = signingInput({ kid: "k1", alg }, claims());
        const bytes = new Uint8Array(await crypto.subtle.sign("HMAC", mac, encoder.encode(text)));
        expect(await decider.outcome(withSignature(bytes, text))).toBe("invalid_signature");
      }
  });

  const OTHERS: readonly unknown[] = [
    "RS384",
    "RS512",
    "RS1",
    "PS256",
    "ES256",
    "ES256K",
    "EdDSA",
    "RSA-OAEP",
    "dir",
    "rs256",
    "RS256 ",
    " RS256",
    "RS256\u0000",
    "ＲＳ256",
    "",
    null,
    256,
    true,
    ["RS256"],
    { 0: "RS256" },
  ];
  for (const alg of OTHERS)
    it(`refuses the very key's signature under alg ${JSON.stringify(alg)}`, async () => {
      const text = signingInput({ kid: "k1", alg }, claims());
      const bytes = await crypto.subtle.sign("RSASSA-PKCS1-v1_5", key.privateKey, encoder.encode(text));
      expect(await decider.outcome(withSignature(new Uint8Array(bytes), text))).toBe("invalid_signature");
    });

  it("refuses a header without alg", async () => {
    const text = signingInput({ kid: "k1" }, claims());
    const bytes = await crypto.subtle.sign("RSASSA-PKCS1-v1_5", key.privateKey, encoder.encode(text));
    expect(await decider.outcome(withSignature(new Uint8Array(bytes), text))).toBe("invalid_signature");
  });

  it("refuses RS384 and RS512 signatures made with the very key", async () => {
    const jwk = await exportJWK(key.privateKey);
    for (const [alg, hashName] of [
      ["RS384", "SHA-384"],
      ["RS512", "SHA-512"],
    ] as const) {
      const algorithm = { name: "RSASSA-PKCS1-v1_5", hash: hashName };
      const other = await crypto.subtle.importKey("jwk", { ...jwk, alg }, algorithm, false, ["sign"]);
      for (const claimed of [alg, "RS256"]) {
        const text = signingInput({ kid: "k1", alg: claimed }, claims());
        const bytes = await crypto.subtle.sign("RSASSA-PKCS1-v1_5", other, encoder.encode(text));
        expect(await decider.outcome(withSignature(new Uint8Array(bytes), text))).toBe("invalid_signature");
      }
    }
  });

  it("refuses ECDSA, though the issuer publishes the EC key under that kid", async () => {
    const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, [
      "sign",
      "verify",
    ]);
    const ec = { ...(await exportJWK(pair.publicKey)), kid: "ec", use: "sig", alg: "ES256" };
    const mixed = createDecider({
      pools: [
        { issuer: ISSUER, keys: () => [key.jwk, ec, { kty: "oct", kid: "mac", k: "AAAA", alg: "HS256" }] },
      ],
      now: () => NOW * 1000,
    });
    expect(await mixed.outcome(await sign(key, claims()))).toBe("forward");
    for (const alg of ["ES256", "RS256"]) {
      const text = signingInput({ kid: "ec", alg }, claims());
      const bytes = await crypto.subtle.sign(
        { name: "ECDSA", hash: "SHA-256" },
        pair.privateKey,
        encoder.encode(text),
      );
      expect(await mixed.outcome(withSignature(new Uint8Array(bytes), text))).toBe("invalid_signature");
    }
    const mac = await crypto.subtle.importKey(
      "raw",
      new Uint8Array(3),
      { name: "HMAC", hash: "SHA-256" },
      false,
      ["sign"],
    );
    const text = signingInput({ kid: "mac", alg: "HS256" }, claims());
    const bytes = await crypto.subtle.sign("HMAC", mac, encoder.encode(text));
    expect(await mixed.outcome(withSignature(new Uint8Array(bytes), text))).toBe("invalid_signature");
  });
});
