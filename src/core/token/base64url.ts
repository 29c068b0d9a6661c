import { decode } from "jose/base64url";

// The last character of an unpadded group holds bits that no byte uses; RFC 4648 section 3.5 wants them zero.
const TWO_CHARACTERS_END = "AQgw";
const THREE_CHARACTERS_END = "AEIMQUYcgkosw048";
const ALPHABET = /^[\w-]*$/;

/** Has it a length that some bytes have, and no unused bit set? Does not look at the alphabet. */
function isCanonical(text: string): boolean {
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

/** Bytes written; undefined for a character of another alphabet. Blanks and padding may have been skipped. */
function write(text: string, target: Target): number | undefined {
  if (target.setFromBase64 === undefined) return ALPHABET.test(text) ? copy(decode(text), target) : undefined;
  try {
    return target.setFromBase64(text, { alphabet: "base64url" }).written;
  } catch {
    return undefined;
  }
}

function copy(bytes: Uint8Array, target: Uint8Array): number {
  target.set(bytes);
  return bytes.length;
}

/** Bytes that `chars` of base64url without padding stand for. */
export const decodedLength = (chars: number): number => Math.floor((chars * 3) / 4);

/**
 * Decodes base64url. Undefined for anything but the one spelling that bytes have: for a character of another alphabet,
 * a blank, padding, an impossible length, or unused bits that are set (RFC 7515 section 2; RFC 4648 section 3.5). The
 * bytes are a view of `target`, by default of a buffer of their own.
 *
 * @throws {RangeError} where `target` has no room for them: the runtime would cut them off and say nothing.
 */
export function decodeBase64url(
  text: string,
  target: Uint8Array<ArrayBuffer> = new Uint8Array(decodedLength(text.length)),
): Uint8Array<ArrayBuffer> | undefined {
  const length = decodedLength(text.length);
  if (target.length < length) throw new RangeError("no room for the decoded bytes");
  // what was skipped leaves too few bytes, at all lengths but those that `isCanonical` refuses
  return isCanonical(text) && write(text, target) === length ? target.subarray(0, length) : undefined;
}
