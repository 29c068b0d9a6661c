/** Names that a caller could pass for the gateway with, or change a request by, behind its back. */
export const HOSTILE_NAMES = [
  ...["x-auth-sub", "x-auth-tenant-id", "x-auth-role", "x-auth-caller", "x-auth-client-id", "x-auth-scope"],
  ...["x-auth-groups", "x-auth-username", "x-auth-token", "x-auth-token-use", "x-auth-", "x-auth-anything"],
  ...["x-tenant-id", "x-origin-secret", "x-request-id", "forwarded", "x-forwarded-for", "x-forwarded-host"],
  ...[
    "x-forwarded-proto",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-http-method-override",
    "x-http-method",
  ],
  ...["x-method-override", "proxy-authorization", "proxy-connection", "proxy-anything", "keep-alive", "te"],
  ...[
    "trailer",
    "upgrade",
    "connection",
    "cookie",
    "accept",
    "x-custom",
    "x-amz-security-token",
    "x-real-ip",
  ],
] as const;

/** One of the spellings of a name: any letter in either case, any `-` as `_`; `seed` chooses. */
export function spell(name: string, seed: number): string {
  let bits = seed;
  return Array.from(name, (character) => {
    const bit = bits & 1;
    bits = (bits >> 1) ^ (bit << 30);
    if (bit === 0) return character;
    return character === "-" && name !== "keep-alive" ? "_" : character.toUpperCase();
  }).join("");
}
