const codePoint = (character: string): string =>
  `\\u{${(character.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}}`;

/** Text of unknown origin for a terminal: control and direction characters cannot act on it. */
export const printable = (text: string): string => text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, codePoint);

/** Any value of unknown origin on one line, shortened after `maxChars`. */
export function shown(value: unknown, maxChars = 200): string {
  const text = printable(typeof value === "string" ? value : (JSON.stringify(value) ?? "nothing"));
  return text.length > maxChars ? `${text.slice(0, maxChars)}… (${text.length} characters)` : text;
}

/** A word of a POSIX shell command, quoted where it needs to be. */
export const shellWord = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

/** A moment and how far it is from now: `2026-11-24T15:00:00Z, 5 min ago`. */
export function moment(seconds: number, nowMs: number): string {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return `${seconds} s, which no calendar has`;
  const distance = Math.round(seconds - nowMs / 1000);
  return `${date.toISOString().replace(/\.\d+Z$/, "Z")}, ${duration(Math.abs(distance))} ${distance < 0 ? "ago" : "ahead"}`;
}

/** A number with its noun: `1 note`, `2 notes`. */
export const counted = (count: number, noun: string, plural = `${noun}s`): string =>
  `${count} ${count === 1 ? noun : plural}`;

/** Seconds in words: `45 s`, `12 min`, `5 h`, `3 days`. */
export function duration(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`;
}
