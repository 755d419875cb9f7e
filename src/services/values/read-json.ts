import type { Steps } from '../steps/steps.js';
import { ExactJson } from './exact-json.js';
import { endOfValue, parseJson, SPACE, unexpected, withoutSpace } from './parse-json.js';
import { endOfString } from './round-trips.js';

/** Text of this length is read at once: it takes less than a millisecond. */
const AT_ONCE = 32 * 1024;
/** At most this number of members of an object is read. No valid request has more. */
const MOST_MEMBERS = 2000;

/**
 * `parseJson`, in steps of less than a millisecond. Only a single string or number may take longer. A large array or
 * object that is the value of a column is checked and stays text: only PostgreSQL looks into it. Pure.
 *
 * @throws SyntaxError
 */
export function* readJson(text: string): Steps<unknown> {
  if (text.length <= AT_ONCE) return parseJson(text);
  const large = yield* findLarge(text);
  return yield* new LargeReader(text, large).document();
}

/** Where each array and object that is too large to be read at once begins → where it ends. */
type Extents = ReadonlyMap<number, number>;

function* findLarge(text: string): Steps<Extents> {
  const large = new Map<number, number>();
  const open: number[] = [];
  let pauseAt = AT_ONCE;
  for (let at = 0; at < text.length;) {
    const char = text[at];
    if (char === '{' || char === '[') open.push(at);
    else if (char === '}' || char === ']') {
      const start = open.pop();
      if (start === undefined) throw unexpected(text, at);
      if (at - start > AT_ONCE) large.set(start, at + 1);
    }
    at = char === '"' ? endOfString(text, at) : at + 1;
    if (at < pauseAt) continue;
    pauseAt = at + AT_ONCE;
    yield;
  }
  if (open.length > 0) throw unexpected(text, text.length);
  return large;
}

/** Members or elements that follow one another, and are read together. */
interface Run {
  start: number;
  end: number;
}

/** What stands around a value: a row is the object of `key` or `values`, its members are values of columns. */
type JsonContext = 'envelope' | 'row';

/** Goes through large arrays and objects. `parseJson` reads the small parts, and finds their errors. */
class LargeReader {
  private at = 0;

  constructor(
    private readonly text: string,
    private readonly large: Extents,
  ) {}

  *document(): Steps<unknown> {
    this.skipSpace();
    if (!this.large.has(this.at)) return parseJson(this.text);
    const value = yield* this.container('envelope');
    this.skipSpace();
    if (this.at < this.text.length) throw unexpected(this.text, this.at);
    return value;
  }

  private *container(place: JsonContext): Steps<unknown> {
    if (this.text[this.at] === '[') return yield* this.array();
    return yield* this.object(place);
  }

  private *array(): Steps<unknown[]> {
    const elements: unknown[] = [];
    yield* this.each(
      (run) => {
        for (const element of parsePart(this.text, run, '[', ']') as unknown[]) elements.push(element);
      },
      () => followedBy(this.container('envelope'), (element) => elements.push(element)),
    );
    return elements;
  }

  private *object(place: JsonContext): Steps<unknown> {
    const start = this.at;
    const members: [name: string, value: unknown][] = [];
    let twice = false;
    yield* this.each(
      (run) => {
        if (members.length >= MOST_MEMBERS) return;
        const part = readMembers(this.text, run, place);
        if (part instanceof ExactJson) twice = true;
        else members.push(...Object.entries(part));
      },
      (name) => followedBy(this.largeMember(name, place), (value) => members.push([name, value])),
    );
    const read = members.slice(0, MOST_MEMBERS);
    const object = Object.fromEntries(read);
    const isWhole = !twice && Object.keys(object).length === read.length;
    return isWhole ? object : new ExactJson(this.text.slice(start, this.at));
  }

  private *largeMember(name: string, place: JsonContext): Steps<unknown> {
    if (place === 'envelope' && name !== 'id') {
      const isRow = (name === 'key' || name === 'values') && this.text[this.at] === '{';
      if (isRow || (name !== 'key' && name !== 'values')) return yield* this.container(isRow ? 'row' : 'envelope');
    }
    const parts: string[] = [];
    yield* this.compact(parts);
    return new ExactJson(parts.join(''));
  }

  /** Adds the text of an array or object, without white space. */
  private *compact(parts: string[]): Steps<void> {
    const [open, end] = this.text[this.at] === '[' ? ['[', ']'] : ['{', '}'];
    let separator = '';
    const add = (part: string): void => {
      parts.push(separator, part);
      separator = ',';
    };
    parts.push(open);
    yield* this.each(
      (run) => {
        parsePart(this.text, run, open, end, JSON.parse);
        add(withoutSpace(this.text.slice(run.start, run.end)));
      },
      (name) => {
        add(open === '[' ? '' : `${JSON.stringify(name)}:`);
        return this.compact(parts);
      },
    );
    parts.push(end);
  }

  /**
   * Goes through the array or object that begins here, and behind its end.
   *
   * @param read reads small members or elements that follow one another
   * @param readLarge reads the large value that begins here, and goes behind it; the name of an element is empty
   */
  private *each(read: (run: Run) => void, readLarge: (name: string) => Steps<unknown>): Steps<void> {
    const isObject = this.text[this.at] === '{';
    const end = isObject ? '}' : ']';
    let run: Run | undefined;
    const readRun = (): void => {
      if (run !== undefined) read(run);
      run = undefined;
    };
    this.at += 1;
    for (this.skipSpace(); this.text[this.at] !== end; this.next(end)) {
      const start = this.at;
      // The white space behind it counts too: it may be as long as the text.
      if (run !== undefined && start - run.start >= AT_ONCE) {
        readRun();
        yield;
      }
      const name = isObject ? this.skipName() : undefined;
      if (this.large.has(this.at)) {
        readRun();
        yield;
        yield* readLarge(name === undefined ? '' : this.parseName(name));
        continue;
      }
      // The skipped text is read later, and refused if it is not JSON.
      this.at = endOfValue(this.text, this.at);
      run = { start: run?.start ?? start, end: this.at };
      if (run.end - run.start < AT_ONCE) continue;
      readRun();
      yield;
    }
    readRun();
    this.at += 1;
  }

  private parseName(name: Run): string {
    return parsePart(this.text, name, '', '') as string;
  }

  /** Goes behind the name and the colon. The name is read later. */
  private skipName(): Run {
    if (this.text[this.at] !== '"') throw unexpected(this.text, this.at);
    const start = this.at;
    this.at = endOfString(this.text, start);
    const name = { start, end: this.at };
    this.skipSpace();
    if (this.text[this.at] !== ':') throw unexpected(this.text, this.at);
    this.at += 1;
    this.skipSpace();
    return name;
  }

  /** Goes behind the comma, or to the end of the array or object. */
  private next(end: string): void {
    this.skipSpace();
    const char = this.text[this.at];
    if (char === end) return;
    if (char !== ',') throw unexpected(this.text, this.at);
    this.at += 1;
    this.skipSpace();
    if (this.text[this.at] === end) throw unexpected(this.text, this.at);
  }

  private skipSpace(): void {
    if (!SPACE.includes(this.text[this.at] ?? '-')) return;
    SPACES.lastIndex = this.at;
    SPACES.test(this.text);
    this.at = SPACES.lastIndex;
  }
}

const SPACES = /[ \t\n\r]*/y;

function* followedBy<T>(steps: Steps<T>, use: (value: T) => void): Steps<void> {
  use(yield* steps);
}

function readMembers(text: string, run: Run, place: JsonContext): object {
  if (place === 'envelope') return parsePart(text, run, '{', '}') as object;
  return (parsePart(text, run, '{"values":{', '}}') as { values: object }).values;
}

/** Parses a part of the text, between `before` and `after`. An error tells where the part begins. */
function parsePart(
  text: string,
  { start, end }: Run,
  before: string,
  after: string,
  parse: (text: string) => unknown = parseJson,
): unknown {
  try {
    return parse(`${before}${text.slice(start, end)}${after}`);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new SyntaxError(`${error.message}, counted from position ${start - before.length}`, { cause: error });
  }
}
