import type { Principal } from "./principal.ts";
import { utf8Encoder } from "./utf8.ts";

const NOT_PLAIN = /[^\x21-\x24\x26-\x2b\x2d-\x7e]/; // outside visible ASCII, and % and ,
const EACH_NOT_PLAIN = new RegExp(NOT_PLAIN, "gu");

const percentEncode = (character: string): string =>
  Array.from(
    utf8Encoder.encode(character),
    (byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`,
  ).join("");

const isPlainItem = (text: string | undefined): boolean => text === undefined || !NOT_PLAIN.test(text);

/** One item of a header value: all but visible ASCII, and `%` and `,`, percent-encoded as UTF-8. */
export const encodeItem = (text: string): string =>
  isPlainItem(text) ? text : text.replace(EACH_NOT_PLAIN, percentEncode);

/** The claims that the origin is told of. */
type ToldClaims = Pick<
  Principal,
  "sub" | "clientId" | "username" | "tenantClaim" | "roleClaim" | "scopes" | "groups"
>;

/** Would {@link encodeItem} hand back every claim unchanged that the origin is told of? */
export function isPlain(claims: ToldClaims): boolean {
  const { sub, clientId, username, tenantClaim, roleClaim, scopes, groups } = claims;
  return [sub, clientId, username, tenantClaim, roleClaim, ...scopes, ...groups].every(isPlainItem);
}
