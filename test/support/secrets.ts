/** Starts every value that must never show: in a log, in a refusal, in a header. */
const MARK = "planted-secret";
const JWT = /eyJ[\w-]{5,}\.[\w-]+\.[\w-]+/;

let planted = 0;
const signatures = new Set<string>();

/** A value to put where secrets are: a query, a cookie, a body, another's tenant. */
export const plantSecret = (where: string): string => `${MARK}-${where}-${++planted}`;

/** Remembers the signature of a token that a test has made. */
export function plantSignature(token: string): string {
  const signature = token.slice(token.lastIndexOf(".") + 1);
  if (signature.length > 40) signatures.add(signature);
  return token;
}

/** The secrets that show in a text: planted values, signatures of the tests' tokens, anything like a JWT. */
export function leaksIn(text: string): string[] {
  const leaks = [...text.matchAll(new RegExp(`${MARK}-[a-z]+-\\d+`, "g"))].map(([leak]) => leak);
  const jwt = JWT.exec(text);
  if (jwt !== null) leaks.push(`a token: ${jwt[0].slice(0, 30)}…`);
  for (const word of text.match(/[\w-]{200,}/g) ?? [])
    if (signatures.has(word)) leaks.push(`a signature: ${word.slice(0, 20)}…`);
  return leaks;
}
