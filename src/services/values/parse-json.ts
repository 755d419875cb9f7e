import { ExactJson, type GivenRow, type GivenValue } from './exact-json.js';
import { canonicalNumber } from './decimal-text.js';
import { endOfNumber, endOfString, isNumberKept, roundTrips } from './round-trips.js';

/**
 * Reads what callers send. Uses `JSON.parse` where that changes nothing. Otherwise the values of columns are kept as
 * they are written, see `ExactJson`. These are the members of every `key` and `values`, and every `id`. Around them, an
 * object that has a name twice becomes `ExactJson` as a whole, and so does a number that no double equals. The text
 * must not nest deeply. Pure.
 *
 * @throws SyntaxError
 */
export function parseJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  return roundTrips(text, value) ? value : new Reader(text).envelope();
}

/** Reads `key` or `values` as they are stored. */
export function parseRow(text: string): GivenRow {
  const row = JSON.parse(text) as GivenRow;
  return roundTrips(text, row) ? row : (new Reader(text).row() as GivenRow);
}

/** Like `parseRow`, but a large array or object stays text, because the execution does not look into it. */
export function parseStoredRow(text: string): GivenRow {
  return text.length <= LARGE ? parseRow(text) : (new Reader(text, LARGE).row() as GivenRow);
}

/** Reads a JSON array of values. A value that `JSON.parse` would change stays as it is written. */
export function parseStoredValues(text: string): GivenValue[] {
  const values = JSON.parse(text) as GivenValue[];
  return roundTrips(text, values) ? values : (new Reader(text).elements(false) as GivenValue[]);
}

/** Reads one value. As in `parseStoredRow`, a large array or object stays text. */
export function parseStoredValue(text: string): GivenValue {
  return new Reader(text, LARGE).value();
}

/** In characters: parsing as many takes about a millisecond. */
const LARGE = 32 * 1024;

/** The elements of an array that is kept as text. If `nested`, elements that are arrays are split too. */
export function elementsOf({ text }: ExactJson, nested: boolean): GivenElements {
  return new Reader(text).elements(nested);
}

export type GivenElements = readonly (GivenValue | GivenElements)[];

/** Every string of the text that contains a backslash, decoded. */
export function* escapedStrings(text: string): Generator<string> {
  for (let start = text.indexOf('"'); start >= 0;) {
    const end = endOfString(text, start);
    const token = text.slice(start, end);
    if (token.includes('\\')) yield stringOf(token);
    start = text.indexOf('"', end);
  }
}

/** The depth of nested arrays and objects. */
export function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (let at = 0; at < text.length;) {
    const char = text[at]!;
    if (char === '{' || char === '[') deepest = Math.max(deepest, (depth += 1));
    else if (char === '}' || char === ']') depth -= 1;
    at = char === '"' ? endOfString(text, at) : at + 1;
  }
  return deepest;
}

/**
 * The end of the value that begins at `start`. Its content is not checked: it may not be JSON.
 *
 * @throws SyntaxError where there is no value
 */
export function endOfValue(text: string, start: number): number {
  let at = start;
  let depth = 0;
  do {
    const char = text[at];
    if (char === '{' || char === '[') depth += 1;
    else if (char === '}' || char === ']') depth -= 1;
    if (char === undefined || depth < 0) throw unexpected(text, at);
    if (char === '"') at = endOfString(text, at);
    else if (depth === 0 && char !== '}' && char !== ']') at = endOfWord(text, at);
    else at += 1;
  } while (depth > 0);
  return at;
}

function endOfWord(text: string, start: number): number {
  let at = start;
  while (at < text.length && !ENDS_WORD.includes(text[at]!)) at += 1;
  if (at === start) throw unexpected(text, start);
  return at;
}

export function unexpected(text: string, at: number): SyntaxError {
  if (at >= text.length) return new SyntaxError('Unexpected end of JSON input');
  return new SyntaxError(`Unexpected token ${JSON.stringify(text[at])} at position ${at}`);
}

export const SPACE = ' \t\n\r';
const ENDS_WORD = `${SPACE},:{}[]"`;

/** Reads text that is known to be JSON, from left to right. */
class Reader {
  private at = 0;

  /** @param largest an array or object that is the value of a column is parsed only up to this length */
  constructor(
    private readonly text: string,
    private readonly largest = Infinity,
  ) {}

  /** Reads everything around the rows. */
  envelope(): unknown {
    switch (this.next()) {
      case '{':
        return this.object((name) => {
          if (name === 'key' || name === 'values') return this.row();
          return name === 'id' ? this.value() : this.envelope();
        });
      case '[':
        return this.list(() => this.envelope());
      default:
        return this.asNumber(this.value());
    }
  }

  row(): GivenRow | GivenValue {
    return this.next() === '{' ? (this.object(() => this.value()) as GivenRow | ExactJson) : this.value();
  }

  elements(nested: boolean): GivenElements {
    return this.list(() => (nested && this.next() === '[' ? this.elements(true) : this.value()));
  }

  value(): GivenValue {
    const first = this.next();
    if (first === '"') return this.string();
    if (isNumberStart(first)) return this.number();
    const start = this.at;
    this.at = endOfValue(this.text, start);
    const text = this.text.slice(start, this.at);
    if (text.length > this.largest) return new ExactJson(text);
    const value = JSON.parse(text) as GivenValue;
    return roundTrips(text, value) ? value : new ExactJson(withoutSpace(text));
  }

  private number(): number | ExactJson {
    const start = this.at;
    this.at = endOfNumber(this.text, start);
    const token = this.text.slice(start, this.at);
    return isNumberKept(token) ? Number(token) : new ExactJson(token);
  }

  private string(): string {
    const start = this.at;
    this.at = endOfString(this.text, start);
    return stringOf(this.text.slice(start, this.at));
  }

  /** A number that is not the value of a column need not keep its spelling. */
  private asNumber(value: GivenValue): GivenValue {
    if (!(value instanceof ExactJson)) return value;
    const number = Number(value.text);
    return Number.isFinite(number) && canonicalNumber(String(number)) === canonicalNumber(value.text) ? number : value;
  }

  private object(member: (name: string) => unknown): Record<string, unknown> | ExactJson {
    const start = this.at;
    const members: [name: string, value: unknown][] = [];
    this.at += 1;
    while (this.next() !== '}') {
      if (this.text[this.at] === ',') this.at += 1;
      const name = this.name();
      members.push([name, member(name)]);
    }
    this.at += 1;
    const object: Record<string, unknown> = Object.fromEntries(members);
    if (Object.keys(object).length === members.length) return object;
    return new ExactJson(withoutSpace(this.text.slice(start, this.at)));
  }

  private list<T>(element: () => T): T[] {
    const elements: T[] = [];
    this.at += 1;
    while (this.next() !== ']') {
      if (this.text[this.at] === ',') this.at += 1;
      elements.push(element());
    }
    this.at += 1;
    return elements;
  }

  private name(): string {
    this.next();
    const name = this.string();
    this.next();
    // The colon.
    this.at += 1;
    return name;
  }

  private next(): string {
    let char = this.text[this.at]!;
    while (char <= ' ') char = this.text[(this.at += 1)]!;
    return char;
  }
}

const isNumberStart = (char: string): boolean => char === '-' || (char >= '0' && char <= '9');

/** Most strings are the text between their quotes. `JSON.parse` would cost several times as much. */
const stringOf = (token: string): string => (token.includes('\\') ? (JSON.parse(token) as string) : token.slice(1, -1));

/** The tokens of JSON without white space between them. Strings are written as `JSON.stringify` writes them. */
export function withoutSpace(text: string): string {
  if (!/[\s\\]/.test(text)) return text;
  const parts: string[] = [];
  for (let at = 0; at < text.length;) {
    const start = at;
    const char = text[at]!;
    if (char === '"') {
      at = endOfString(text, at);
      const token = text.slice(start, at);
      parts.push(token.includes('\\') ? JSON.stringify(stringOf(token)) : token);
    } else {
      while (at < text.length && text[at] !== '"' && !SPACE.includes(text[at]!)) at += 1;
      parts.push(text.slice(start, at));
      while (at < text.length && SPACE.includes(text[at]!)) at += 1;
    }
  }
  return parts.join('');
}
