import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { runSteps } from '../../../src/services/steps/steps.js';
import { ExactJson, stringifyJson } from '../../../src/services/values/exact-json.js';
import { parseJson } from '../../../src/services/values/parse-json.js';
import { readJson } from '../../../src/services/values/read-json.js';

const read = (text: string): unknown => runSteps(readJson(text));

/** Longer than what is read at once. */
const LONG = 'x'.repeat(33_000);

/** Now and then something long, so that what is around it is long as well. */
const leaf = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom('1', '-0', '1.50', '12345678901234567890', 'true', 'null', '"a"', '"\\u0041"', '""'),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom(`"${LONG}"`, '1'.repeat(33_000), `[${'{"a":1},'.repeat(5000)}1]`, `{"w":"${LONG}"}`),
  },
  { weight: 1, arbitrary: fc.string().map((text) => JSON.stringify(text)) },
);
const name = fc.constantFrom('a', 'b', 'id', 'key', 'values', 'operations', '__proto__', '1', 'é', '\\u0061');
const space = fc.constantFrom('', '', '', ' ', '\n\t ');
const { json } = fc.letrec<{ json: string }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    leaf,
    fc
      .tuple(space, fc.array(tie('json'), { maxLength: 6 }))
      .map(([gap, all]) => `[${gap}${all.join(`${gap},`)}${gap}]`),
    fc
      .tuple(space, fc.array(fc.tuple(name, tie('json')), { maxLength: 6 }))
      .map(
        ([gap, all]) => `{${gap}${all.map(([one, value]) => `"${one}"${gap}:${gap}${value}`).join(`,${gap}`)}${gap}}`,
      ),
  ),
}));

/** The refused as the kind of their refusal. */
function outcome(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    if (error instanceof SyntaxError) return 'no JSON';
    throw error;
  }
}

/** What is only refused, for a name that comes twice, need not be the same text. */
const exact = (text: string): unknown => ({
  exact: text.replaceAll(/\s/g, '').replaceAll('\\u0041', 'A').replaceAll('\\u0061', 'a'),
});

/** What is around the rows. A value of a column is the text that is stored, whether it was kept as text or parsed. */
function comparable(value: unknown): unknown {
  if (value instanceof ExactJson) return exact(value.text);
  if (Array.isArray(value)) return value.map(comparable);
  if (typeof value !== 'object' || value === null) return value;
  return Object.entries(value)
    .map(([each, member]) => [each, each === 'key' || each === 'values' ? row(member) : inEnvelope(each, member)])
    .sort(([one], [other]) => (String(one) < String(other) ? -1 : 1));
}

const inEnvelope = (member: string, value: unknown): unknown => (member === 'id' ? column(value) : comparable(value));

function row(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof ExactJson)
    return column(value);
  return Object.entries(value)
    .map(([each, member]) => [each, column(member)])
    .sort(([one], [other]) => (String(one) < String(other) ? -1 : 1));
}

const column = (value: unknown): unknown =>
  typeof value === 'object' && value !== null ? exact(stringifyJson(value)) : value;

describe('large JSON that is read in steps', () => {
  it('is what parseJson makes of it', () => {
    const document = fc.tuple(json, space).map(([text, gap]) => `${gap}{"operations":[${text},${gap}"${LONG}"]}${gap}`);
    fc.assert(
      fc.property(document, (text) => {
        expect(comparable(read(text))).toEqual(comparable(parseJson(text)));
      }),
      { numRuns: 100 },
    );
  });

  it('is refused where parseJson refuses it', () => {
    const broken = fc
      .tuple(json, fc.nat(), fc.constantFrom('', ',', '"', '}', ']', '{', ':', 'x', '1', '\\', '\u0001', '[[', '{}'))
      .map(([text, place, what]) => {
        const whole = `{"operations":[${text},"${LONG}"],"a":[${text}]}`;
        const at = place % whole.length;
        return whole.slice(0, at) + what + whole.slice(at + 1);
      });
    fc.assert(
      fc.property(broken, (text) => {
        const expected = outcome(() => parseJson(text));
        const actual = outcome(() => read(text));
        expect(actual === 'no JSON').toBe(expected === 'no JSON');
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    ['a comma at the end', `{"operations":["${LONG}",]}`],
    ['a comma too many', `{"operations":["${LONG}",,1]}`],
    ['something behind it', `{"operations":["${LONG}"]}]`],
    ['an end that is missing', `{"operations":["${LONG}"]`],
    ['the other bracket', `{"operations":["${LONG}"}]`],
    ['no colon', `{"operations",["${LONG}"]}`],
    ['a name that is none', `{operations:["${LONG}"]}`],
    ['no value', `{"a":,"operations":["${LONG}"]}`],
  ])('is refused for %s', (_what, text) => {
    expect(() => JSON.parse(text) as unknown).toThrow(SyntaxError);
    expect(() => read(text)).toThrow(SyntaxError);
  });

  it('tells where the part begins that is wrong', () => {
    expect(() => read(`{"operations":["${LONG}",{"a":nul}]}`)).toThrow(
      /is not valid JSON, counted from position 33017$/,
    );
  });

  it('takes at least one step for each 64 KiB, whatever it reads', () => {
    const many = (count: number, make: (n: number) => string) =>
      `{"operations":[${Array.from({ length: count }, (_, n) => make(n)).join(',')}]}`;
    const texts = [
      many(1500, (n) => `{"values":{${Array.from({ length: 300 }, (_, c) => `"c${c}":${n}`).join(',')}}}`),
      many(500_000, () => '{}'),
      `{"data":{${Array.from({ length: 500_000 }, (_, n) => `"n${n}":1`).join(',')}}}`,
      `{"values":{"data":{${Array.from({ length: 500_000 }, (_, n) => `"n${n}":1`).join(',')}}}}`,
    ];
    for (const text of texts) {
      let steps = 0;
      for (const reading = readJson(text); reading.next().done !== true;) steps += 1;
      expect(steps).toBeGreaterThan(text.length / (64 * 1024));
    }
  });

  it('reads blanks of any length', () => {
    const blank = ' '.repeat(100_000);
    expect(read(`{"operations":[1,${blank}2${blank}],${blank}"a":${blank}{}}`)).toEqual({ operations: [1, 2], a: {} });
    expect(read(`{"values":{"a":[${blank}],"b":{"c":[${blank}],"d":{${blank}}}}}`)).toEqual({
      values: { a: new ExactJson('[]'), b: new ExactJson('{"c":[],"d":{}}') },
    });
  });

  it('takes no longer for deep values than for flat ones', () => {
    const big = `[${'1234567,'.repeat(500_000)}1]`;
    const deep = `${'[1,'.repeat(90)}${big}${']'.repeat(90)}`;
    const longestStep = (value: string): number => {
      let longest = 0;
      for (const reading = readJson(`{"values":{"a":${value}}}`); ;) {
        const startedAt = performance.now();
        const { done } = reading.next();
        longest = Math.max(longest, performance.now() - startedAt);
        if (done === true) return longest;
      }
    };
    longestStep(big);
    // Joined anew at each level, it is 90 times as long.
    expect(longestStep(deep)).toBeLessThan(10 * longestStep(big) + 20);
  });

  it('leaves a large array or object of a column as it is written, without spaces', () => {
    const values = Array.from({ length: 5000 }, (_, n) => `{ "n${n}" : [1.50, "a b\\u0041"] }`).join(' , ');
    const text = `{"values":{"data": [ ${values} ], "small": [1, 2]}}`;
    const { data, small } = (read(text) as { values: { data: unknown; small: unknown } }).values;
    expect(data).toStrictEqual(new ExactJson(`[${values}]`.replaceAll(/ (?!b)/g, '').replaceAll('\\u0041', 'A')));
    expect(small).toEqual([1, 2]);
  });

  it('reads so many members of an object as show that it is to be refused', () => {
    const wide = `{${Array.from({ length: 20_000 }, (_, n) => `"n${n}":1`).join(',')}}`;
    expect(Object.keys(read(wide) as object)).toEqual(Array.from({ length: 2000 }, (_, n) => `n${n}`));
  });
});
