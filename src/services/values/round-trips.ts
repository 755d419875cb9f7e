const SPACE = 0x20;
const QUOTE = 0x22;
const PLUS = 0x2b;
const COMMA = 0x2c;
const NINE = 0x39;
const UPPER_E = 0x45;
const BACKSLASH = 0x5c;
const LOWER_E = 0x65;
const ESCAPED_HALF = /\\u[dD][89a-fA-F]/;

/**
 * True when `JSON.parse` has kept every digit, every name, and the order of names, so that `JSON.stringify` writes the
 * same tokens again. For a text with escaped halves of surrogate pairs it may be false without need. Pure.
 *
 * @param value what `JSON.parse` makes of the text
 */
export function roundTrips(text: string, value: unknown): boolean {
  // For half a surrogate pair alone, JSON.stringify takes ten times as long as for any other character.
  if (ESCAPED_HALF.test(text)) return false;
  const written = JSON.stringify(value);
  if (written === text) return true;
  let to = 0;
  for (let at = 0; at < text.length;) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      // Comparing whole strings is faster than comparing each character.
      const [end, writtenEnd] = [endOfString(text, at), endOfString(written, to)];
      const [token, other] = [text.slice(at, end), written.slice(to, writtenEnd)];
      if (token !== other && (!token.includes('\\') || JSON.stringify(JSON.parse(token)) !== other)) return false;
      at = end;
      to = writtenEnd;
    } else if (code === written.charCodeAt(to)) {
      at += 1;
      to += 1;
    } else if (code <= SPACE) {
      at += 1;
    } else {
      return false;
    }
  }
  return to === written.length;
}

/** True when JavaScript writes the number in the same way. */
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
