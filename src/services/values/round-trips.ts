const SPACE = 0x20;
const PLUS = 0x2b;
const COMMA = 0x2c;
const NINE = 0x39;
const UPPER_E = 0x45;
const BACKSLASH = 0x5c;
const LOWER_E = 0x65;

/**
 * True when `JSON.parse` has kept every digit, every name, and the order of names, so that `JSON.stringify` writes the
 * same tokens again. False may be wrong for a text with unusual escapes: then the slow way is used without need. Pure.
 *
 * @param value what `JSON.parse` makes of the text
 */
export function roundTrips(text: string, value: unknown): boolean {
  const written = JSON.stringify(value);
  if (written === text) return true;
  let to = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    const other = written.charCodeAt(to);
    if (code === other) {
      to += 1;
      // Both characters of an escape, so that the second one is not taken for the beginning of another.
      if (code === BACKSLASH && text[(at += 1)] !== written[to++]) return false;
    } else if (
      code === BACKSLASH &&
      text[at + 1] === 'u' &&
      other === Number.parseInt(text.slice(at + 2, at + 6), 16)
    ) {
      at += 5;
      to += 1;
    } else if (code > SPACE) {
      return false;
    }
  }
  return to === written.length;
}

/** True when a number is written again as it is. */
export const isNumberKept = (token: string): boolean => String(Number(token)) === token;

/** The end of the string that begins at `start`. */
export function endOfString(text: string, start: number): number {
  const end = text.indexOf('"', start + 1);
  if (end > 0 && text.charCodeAt(end - 1) !== BACKSLASH) return end + 1;
  let at = start + 1;
  for (; at < text.length; at += 1) {
    const char = text[at];
    if (char === '"') return at + 1;
    if (char === '\\') at += 1;
  }
  return at;
}

/** The end of the number that begins at `start`. */
export function endOfNumber(text: string, start: number): number {
  let at = start + 1;
  for (; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code > NINE ? code !== LOWER_E && code !== UPPER_E : code < PLUS || code === COMMA) break;
  }
  return at;
}
