import { decode } from "jose/base64url";

// The last character of an unpadded group holds bits that no byte uses; RFC 4648 section 3.5 wants them zero.
const TWO_CHARACTERS_END = "AQgw";
const THREE_CHARACTERS_END = "AEIMQUYcgkosw048";

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

/**
 * Decodes base64url whose alphabet the caller has checked. Undefined where the length is impossible or unused
 * bits are set, so that bytes have exactly one spelling (RFC 7515 section 2; RFC 4648 section 3.5).
 */
export const decodeBase64url = (text: string): Uint8Array<ArrayBuffer> | undefined =>
  isCanonical(text) ? (decode(text) as Uint8Array<ArrayBuffer>) : undefined; // jose's type leaves it open
