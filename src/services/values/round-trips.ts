const QUOTE = 0x22;
const PLUS = 0x2b;
const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const UPPER_E = 0x45;
const OPEN_ARRAY = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const LOWER_E = 0x65;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** A decimal number with this many digits is still the same after it was a double. */
const EXACT_DIGITS = 15;
/** Up to this number, names are compared with each other: a set costs more. */
const FEW_NAMES = 32;

/** FNV-1a */
const HASH_START = 0x811c9dc5;
const HASH_PRIME = 0x01000193;

/**
 * True when `JSON.parse` keeps every digit, every name, and the order of names, so that `JSON.stringify` writes the
 * same tokens again. False may be wrong if names have equal hashes: then the slow way is used without need. It reads
 * each character once. If the text is not JSON, the result has no meaning. Pure.
 *
 * @param text decoded as UTF-8 or Latin-1, because only ASCII matters here
 */
export function roundTrips(text: string): boolean {
  /** Hashes of the names of all open objects. */
  const names: number[] = [];
  /** For each open array -1, for each open object the place where its names begin. */
  const open: number[] = [];
  let isName = false;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      if (isName) at = readName(text, at, names);
      else at = endOfString(text, at) - 1;
      if (at < 0) return false;
      isName = false;
    } else if (code === COMMA) {
      isName = open.length > 0 && open[open.length - 1]! >= 0;
    } else if (code <= NINE) {
      if (code < ZERO && code !== MINUS) continue;
      const end = endOfNumber(text, at);
      if (!isNumberKept(text, at, end)) return false;
      at = end - 1;
    } else if (code === OPEN_OBJECT) {
      isName = true;
      open.push(names.length);
    } else if (code === OPEN_ARRAY) {
      isName = false;
      open.push(-1);
    } else if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) {
      isName = false;
      const start = open.pop() ?? -1;
      if (start < 0) continue;
      if (hasTwice(names, start)) return false;
      while (names.length > start) names.pop();
    }
  }
  return true;
}

/** The end of the string that begins at `start`. */
export function endOfString(text: string, start: number): number {
  const end = text.indexOf('"', start + 1);
  if (end > 0 && text.charCodeAt(end - 1) !== BACKSLASH) return end + 1;
  let at = start + 1;
  for (; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at + 1;
    if (code === BACKSLASH) at += 1;
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

/**
 * Records the hash of a name, and finds its last character. Returns -1 if an object may have the name in another place,
 * or in another spelling.
 */
function readName(text: string, start: number, names: number[]): number {
  let hash = HASH_START;
  let isInteger = true;
  let at = start + 1;
  for (; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) break;
    if (code === BACKSLASH) return -1;
    if (code > NINE || code < ZERO) isInteger = false;
    hash = Math.imul(hash ^ code, HASH_PRIME);
  }
  if (isInteger && at > start + 1) return -1;
  // 30 bits, because JavaScript stores each larger number as a separate object.
  names.push(hash & 0x3fffffff);
  return at;
}

function hasTwice(names: readonly number[], start: number): boolean {
  if (names.length - start > FEW_NAMES) return new Set(names.slice(start)).size < names.length - start;
  for (let one = start + 1; one < names.length; one += 1) {
    for (let other = start; other < one; other += 1) if (names[one] === names[other]) return true;
  }
  return false;
}

/** True when a number is written again as it is. */
export function isNumberKept(text: string, start: number, end: number): boolean {
  const first = text.charCodeAt(start) === MINUS ? start + 1 : start;
  if (end - first <= EXACT_DIGITS) {
    const point = pointOf(text, first, end);
    if (point === end) return text.charCodeAt(first) !== ZERO || first === start;
    const isSmall = text.charCodeAt(first) === ZERO && text.charCodeAt(point + 1) === ZERO;
    if (point > 0 && !isSmall) return text.charCodeAt(end - 1) !== ZERO;
  }
  const token = text.slice(start, end);
  return String(Number(token)) === token;
}

/** `end` if there is neither a point nor an exponent, -1 if there is an exponent. */
function pointOf(text: string, start: number, end: number): number {
  let point = end;
  for (let at = start; at < end; at += 1) {
    const code = text.charCodeAt(at);
    if (code === POINT) point = at;
    else if (code > NINE) return -1;
  }
  return point;
}
