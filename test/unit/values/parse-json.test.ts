import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalNumber, integerText } from '../../../src/services/values/decimal-text.js';
import { ExactJson, stringifyJson } from '../../../src/services/values/exact-json.js';
import { parseJson, parseRow, parseStoredRow } from '../../../src/services/values/parse-json.js';
import * as kept from '../../../src/services/values/round-trips.js';

const roundTrips = (text: string): boolean => kept.roundTrips(text, JSON.parse(text));

const digits = fc.stringMatching(/^\d{1,25}$/);
const number = fc
  .tuple(
    fc.constantFrom('', '-'),
    fc
      .oneof(fc.constantFrom('0', '1', '10', '100000000000000000000'), digits)
      .map((text) => text.replace(/^0+(?=\d)/, '')),
    fc.oneof(
      fc.constant(''),
      fc.oneof(fc.constantFrom('0', '5', '50', '0000001', '000001'), digits).map((text) => `.${text}`),
    ),
    fc.oneof(
      { weight: 3, arbitrary: fc.constant('') },
      fc.constantFrom('e0', 'E5', 'e+21', 'e-7', 'e308', 'e309', 'e-400'),
    ),
  )
  .map((parts) => parts.join(''));
const string = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 8 }).map((text) => JSON.stringify(text)),
  fc.constantFrom(
    '""',
    '"\\\\"',
    '"\\""',
    '"1"',
    '"12"',
    '"-1"',
    '"a"',
    '"\\u0061"',
    '"{"',
    '"[:,"',
    '"__proto__"',
    '"key"',
  ),
);
const space = fc.constantFrom('', '', '', ' ', '\n\t', '\r ');
const { json } = fc.letrec<{ json: string; bare: string }>((tie) => ({
  bare: fc.oneof(
    { depthSize: 'small' },
    number,
    string,
    fc.constantFrom('true', 'false', 'null'),
    fc.array(tie('json'), { maxLength: 5 }).map((elements) => `[${elements.join(',')}]`),
    fc.array(fc.tuple(space, string, space, tie('json')), { maxLength: 5 }).map(objectOf),
  ),
  json: fc.tuple(space, tie('bare'), space).map((parts) => parts.join('')),
}));
const row = fc
  .uniqueArray(fc.tuple(space, string, space, json), {
    maxLength: 5,
    selector: ([, name]) => JSON.parse(name) as string,
  })
  .map(objectOf);

function objectOf(members: [string, string, string, string][]): string {
  return `{${members.map(([before, name, after, value]) => `${before}${name}${after}:${value}`).join(',')}}`;
}

/** By an expression: strings as `JSON.stringify` writes them, no white space, all else as it is. */
const compact = (text: string): string =>
  text.replace(/("(?:[^"\\]|\\.)*")|\s+/g, (_, token?: string) =>
    token === undefined ? '' : JSON.stringify(JSON.parse(token)),
  );

const RUNS = { numRuns: 4000 };

describe('the look at JSON before it is parsed', () => {
  it('finds all that JSON.parse would alter', () => {
    fc.assert(
      fc.property(json, (text) => {
        if (roundTrips(text)) expect(JSON.stringify(JSON.parse(text))).toBe(compact(text));
      }),
      RUNS,
    );
  });

  it('lets pass what JSON.stringify writes, but for names that are digits', () => {
    const keys = { key: fc.string().filter((name) => !/^\d+$/.test(name) && JSON.stringify(name) === `"${name}"`) };
    fc.assert(
      fc.property(fc.object({ ...keys, withBigInt: false }), (value) => {
        const text = JSON.stringify(value, (_, each: unknown) => (Object.is(each, -0) ? 0 : each));
        expect(roundTrips(text)).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['0', true],
    ['-0', false],
    ['1.0', false],
    ['0.1', true],
    ['0.10', false],
    ['1e2', false],
    ['1e+21', true],
    ['1e21', false],
    ['0.000001', true],
    ['0.0000001', false],
    ['1e-7', true],
    ['123456789012345', true],
    ['1234567890123456', true],
    ['9007199254740993', false],
    ['0.30000000000000004', true],
    ['0.300000000000000040', false],
    ['1e400', false],
    ['{"a":1,"b":{"a":1}}', true],
    ['{"a":1,"a":1}', false],
    ['[{"a":1},{"a":1}]', true],
    ['{"b":[{"a":1}],"b":1}', false],
    ['{"10":1,"9":1}', false],
    ['{"a":"\\\\","b":"1.0"}', true],
    ['{"a":"\\"1.0","b":1}', true],
    ['{"\\u0061":1,"a":2}', false],
    ['{"\\u0061": "\\u00e4 \\n"}', true],
    ['{"\\\\u0062":1,"\\b":2}', true],
    ['{"\\\\u0062":1,"\\b":2,"1":3}', false],
    [JSON.stringify(Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`n${n}`, n]))), true],
    [`{${Array.from({ length: 100 }, (_, n) => `"n${n % 99}":1`).join(',')}}`, false],
  ])('%s: %s', (text, isKept) => {
    expect(roundTrips(text)).toBe(isKept);
  });
});

describe('JSON that callers send', () => {
  it('is written again as it was sent, whatever it holds', () => {
    fc.assert(
      fc.property(row, (text) => {
        expect(stringifyJson(parseRow(text))).toBe(sorted(compact(text)));
      }),
      RUNS,
    );
  });

  it('is what JSON.parse makes of it, where that keeps it', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        if (roundTrips(text)) expect(parseJson(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  it('is refused where it is no JSON', () => {
    expect(() => parseJson('{"a":1.0')).toThrow(SyntaxError);
    expect(() => parseJson('{"a":01.0}')).toThrow(SyntaxError);
  });

  it('keeps the values of columns as text, and reads the rest as it is meant', () => {
    const text =
      '{"pattern":"p","id":1.0,"data":{"priority":1.0,"values":{"n":1.10,"s":"x","o":{"1":1,"0":2},"p":{"a":1}},"key":{"id":1}}}';
    expect(parseJson(text)).toEqual({
      pattern: 'p',
      id: new ExactJson('1.0'),
      data: {
        priority: 1,
        values: { n: new ExactJson('1.10'), s: 'x', o: new ExactJson('{"1":1,"0":2}'), p: { a: 1 } },
        key: { id: 1 },
      },
    });
  });

  it('keeps a number around the rows that no double is equal to, so that it is refused there', () => {
    expect(parseJson('[1.00000000000000000001,1e400,-0.0,2.50]')).toEqual([
      new ExactJson('1.00000000000000000001'),
      new ExactJson('1e400'),
      -0,
      2.5,
    ]);
  });

  it('takes __proto__ for a name like any other', () => {
    const { values } = parseJson('{"values":{"__proto__":1.0}}') as { values: object };
    expect(Object.keys(values)).toEqual(['__proto__']);
    expect(Object.getPrototypeOf(values)).toBe(Object.prototype);
  });
});

describe('a stored row', () => {
  const LONG = 'x'.repeat(40_000);
  const small = '{"a":1.50,"b":[1,2],"c":"\\u0000"}';

  it('is written as it was stored, with large arrays and objects as text', () => {
    fc.assert(
      fc.property(row, (text) => {
        const stored = stringifyJson(parseRow(`{"large":[${text},"${LONG}"],"text":"${LONG}","row":${text}}`));
        const read = parseStoredRow(stored);
        expect(stringifyJson(read)).toBe(stored);
        expect(read['large']).toBeInstanceOf(ExactJson);
        expect(read['text']).toBe(LONG);
      }),
      { numRuns: 50 },
    );
  });

  it('is that of parseRow where nothing in it is large', () => {
    expect(parseStoredRow(small)).toStrictEqual(parseRow(small));
    const wide = `{${Array.from({ length: 3000 }, (_, n) => `"n${n}":["${n}",1.0]`).join(',')}}`;
    expect(parseStoredRow(wide)).toStrictEqual(parseRow(wide));
  });
});

describe('what holds exact JSON', () => {
  it('is written by stringifyJson only', () => {
    const answer = { a: [new ExactJson('1.0'), undefined, { b: undefined, at: new Date(0) }], c: 'é"' };
    expect(() => JSON.stringify(answer)).toThrow('stringifyJson');
    expect(stringifyJson(answer)).toBe('{"a":[1.0,null,{"at":"1970-01-01T00:00:00.000Z"}],"c":"é\\""}');
    // A column may have any name.
    expect(stringifyJson(parseRow('{"toJSON":1,"x":1.10}'))).toBe('{"toJSON":1,"x":1.10}');
  });
});

describe('the value of a number', () => {
  it('is one text for all spellings', () => {
    fc.assert(
      fc.property(fc.bigInt(), fc.nat({ max: 30 }), (value, zeros) => {
        const [plain, text] = [value.toString(), `${value}${'0'.repeat(zeros)}e-${zeros}`];
        expect(canonicalNumber(text)).toBe(canonicalNumber(plain));
        expect(canonicalNumber(`${plain}.${'0'.repeat(zeros + 1)}`)).toBe(canonicalNumber(plain));
        if (plain.length <= 64) expect(integerText(text)).toBe(plain);
      }),
    );
  });

  it('tells different ones apart', () => {
    fc.assert(
      fc.property(number, number, (one, other) => {
        const same = canonicalNumber(one) === canonicalNumber(other);
        const finite = [one, other].map(Number).every((each) => Number.isFinite(each) && each !== 0);
        if (same && finite) expect(Number(one)).toBe(Number(other));
        if (finite && Number(one) !== Number(other)) expect(same).toBe(false);
      }),
      RUNS,
    );
  });
});

/** A row is an object: its columns come in the order in which JavaScript keeps names, which has no meaning. */
function sorted(text: string): string {
  const members = new Map(membersOf(text));
  const names = Object.keys(Object.fromEntries(members));
  return `{${names.map((name) => `${JSON.stringify(name)}:${members.get(name)}`).join(',')}}`;
}

function* membersOf(text: string): Generator<[name: string, value: string]> {
  let [depth, start] = [0, 1];
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{},]/g)) {
    if (token === '{' || token === '[') depth += 1;
    if (token === '}' || token === ']') depth -= 1;
    if ((depth === 1 && token === ',') || depth === 0) {
      const [name] = /^"(?:[^"\\]|\\.)*"/.exec(text.slice(start, index)) ?? [];
      if (name !== undefined) yield [JSON.parse(name) as string, text.slice(start + name.length + 1, index)];
      start = index + 1;
    }
  }
}
