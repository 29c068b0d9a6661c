import { decode } from "jose/base64url";

// The last character of an unpadded group holds bits that no byte uses; RFC 4648 section 3.5 wants them zero.
const TWO_CHARACTERS_END = "AQgw";
const THREE_CHARACTERS_END = "AEIMQUYcgkosw048";

/** Can this be the only spelling of some bytes? The caller has checked the alphabet. */
export function isCanonical(text: string): boolean {
  const last = text.charAt(text.length - 1);
  switch (text.length % 4) {
    case 0:
      return true;
    case 2:
      return TWO_CHARACTERS_END.includes(last);
    case 3:
      return THREE_CHARACTERS_END.includes(last);
    default:
      return false;
  }
}

/** A buffer; where the runtime can decode into one (TC39: Uint8Array to/from base64); Node 24 cannot. */
interface Target extends Uint8Array<ArrayBuffer> {
  setFromBase64?(text: string, options: { readonly alphabet: "base64url" }): { readonly written: number };
}

function write(text: string, target: Target): number {
  if (target.setFromBase64 !== undefined)
    return target.setFromBase64(text, { alphabet: "base64url" }).written;
  const bytes = decode(text);
  target.set(bytes);
  return bytes.length;
}

/** Bytes that `chars` of base64url without padding stand for. */
export const decodedLength = (chars: number): number => Math.floor((chars * 3) / 4);

/**
 * Decodes base64url whose alphabet the caller has checked. Undefined where the length is impossible or unused
 * bits are set, so that bytes have exactly one spelling (RFC 7515 section 2; RFC 4648 section 3.5). The bytes are a
 * view of `target`, by default of a buffer of their own.
 *
 * @throws {RangeError} where `target` has no room for them: the runtime would cut them off and say nothing.
 */
export function decodeBase64url(
  text: string,
  target: Uint8Array<ArrayBuffer> = new Uint8Array(decodedLength(text.length)),
): Uint8Array<ArrayBuffer> | undefined {
  if (target.length < decodedLength(text.length)) throw new RangeError("no room for the decoded bytes");
  return isCanonical(text) ? target.subarray(0, write(text, target)) : undefined;
}
