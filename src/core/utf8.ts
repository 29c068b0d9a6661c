/** Stateless, so one for all. */
export const utf8Encoder = new TextEncoder();
// biome-ignore lint/suspicious/noControlCharactersInRegex: the range is that of ASCII
const ASCII = /^[\x00-\x7f]*$/;

/** Bytes that a text takes in UTF-8; a lone surrogate counts as the replacement character that is sent for it. */
export const utf8Length = (text: string): number =>
  ASCII.test(text) ? text.length : utf8Encoder.encode(text).length;
