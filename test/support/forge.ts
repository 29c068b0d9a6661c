import { base64url, exportJWK } from "jose";
import { plantSignature } from "./secrets.ts";
import type { SigningKey } from "./tokens.ts";

const encoder = new TextEncoder();

/** What stands in a segment: bytes as they are, text as UTF-8, anything else as JSON. */
export type Content = Uint8Array | string | Record<string, unknown>;

const bytesOf = (content: Content): Uint8Array<ArrayBuffer> =>
  content instanceof Uint8Array
    ? new Uint8Array(content)
    : encoder.encode(typeof content === "string" ? content : JSON.stringify(content));

/** A segment of a JWS. */
export const segment = (content: Content): string => base64url.encode(bytesOf(content));

/** Header and payload of a JWS, joined: what is signed. */
export const signingInput = (header: Content, payload: Content): string =>
  `${segment(header)}.${segment(payload)}`;

/** A JWS of any bytes, really signed with RS256, whatever its header says. */
export async function signRaw(key: SigningKey, header: Content, payload: Content): Promise<string> {
  const input = signingInput(header, payload);
  const signature = await crypto.subtle.sign("RSASSA-PKCS1-v1_5", key.privateKey, encoder.encode(input));
  return plantSignature(`${input}.${base64url.encode(new Uint8Array(signature))}`);
}

const toBigInt = (bytes: Uint8Array): bigint =>
  bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);

/** Big-endian bytes, `length` of them. */
export function toBytes(value: bigint, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let index = length - 1, rest = value; index >= 0; index -= 1, rest >>= 8n)
    bytes[index] = Number(rest & 0xffn);
  return bytes;
}

function modPow(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  let square = base % modulus;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % modulus;
    square = (square * square) % modulus;
  }
  return result;
}

/** The bare RSA operation of a key: no padding, no hash. */
export interface RawRsa {
  readonly modulus: bigint;
  readonly modulusBytes: number;
  /** RSASP1 (RFC 8017 section 5.2.1): the signature of an encoded message. */
  sign(encoded: Uint8Array): bigint;
  /** RSAVP1: the encoded message that a signature stands for. */
  recover(signature: Uint8Array): Uint8Array<ArrayBuffer>;
}

/** Takes a JWK's numbers, of a private key for `sign`. */
export function createRawRsa(jwk: { n?: string; e?: string; d?: string }): RawRsa {
  const modulusText = base64url.decode(jwk.n ?? "");
  const modulus = toBigInt(modulusText);
  return {
    modulus,
    modulusBytes: modulusText.length,
    sign: (encoded) => modPow(toBigInt(encoded), toBigInt(base64url.decode(jwk.d ?? "")), modulus),
    recover: (signature) =>
      toBytes(
        modPow(toBigInt(signature), toBigInt(base64url.decode(jwk.e ?? "")), modulus),
        modulusText.length,
      ),
  };
}

/** The bare RSA operation of a test's signing key. */
export const rawRsaOf = async (key: SigningKey): Promise<RawRsa> =>
  createRawRsa((await exportJWK(key.privateKey)) as { n?: string; e?: string; d?: string });

/** Bytes written as hex, blanks allowed. */
export const hex = (text: string): number[] =>
  (text.replaceAll(" ", "").match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16));

/** DER of AlgorithmIdentifier and OCTET STRING head, before the hash (RFC 8017 section 9.2, note 1). */
export const DIGEST_INFO = {
  md5: hex("30 20 30 0c 06 08 2a 86 48 86 f7 0d 02 05 05 00 04 10"),
  sha1: hex("30 21 30 09 06 05 2b 0e 03 02 1a 05 00 04 14"),
  sha224: hex("30 2d 30 0d 06 09 60 86 48 01 65 03 04 02 04 05 00 04 1c"),
  sha256: hex("30 31 30 0d 06 09 60 86 48 01 65 03 04 02 01 05 00 04 20"),
  sha384: hex("30 41 30 0d 06 09 60 86 48 01 65 03 04 02 02 05 00 04 30"),
  sha512: hex("30 51 30 0d 06 09 60 86 48 01 65 03 04 02 03 05 00 04 40"),
} as const;

/** An EMSA-PKCS1-v1_5 encoded message: `00 01 FF… 00` and the rest, filled up to `length` bytes. */
export const encodeMessage = (rest: readonly number[], length: number): Uint8Array<ArrayBuffer> =>
  new Uint8Array([0, 1, ...new Array<number>(length - rest.length - 3).fill(0xff), 0, ...rest]);

/** The largest integer whose cube is at most `value`. */
export function cubeRoot(value: bigint): bigint {
  let low = 0n;
  let high = 1n << BigInt(Math.ceil(value.toString(2).length / 3) + 1);
  while (low < high) {
    const middle = (low + high + 1n) >> 1n;
    if (middle ** 3n <= value) low = middle;
    else high = middle - 1n;
  }
  return low;
}
