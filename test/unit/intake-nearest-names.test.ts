import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nearestName } from '../../src/services/errors/nearest-name.js';
import { NearestNames } from '../../src/services/intake/nearest-names.js';
import { column, table } from '../support/table.js';

describe('nearestName', () => {
  it.each([
    ['customerId', 'customer_id'],
    ['CUSTOMER-ID', 'customer_id'],
    ['custmer_id', 'customer_id'],
    ['customer_idd', 'customer_id'],
    ['ucstomer_id', 'customer_id'],
    ['amunt', 'amount'],
    ['amuonts', undefined],
    ['', 'id'],
    ['nothing_like_it', undefined],
  ])('takes %j for %j', (wanted, expected) => {
    expect(nearestName(wanted, ['customer_id', 'amount', 'created_at', 'id'])).toBe(expected);
  });

  it('takes the first of several that are equally near', () => {
    expect(nearestName('line3', ['line1', 'line2', 'LINE_3', 'line4'])).toBe('LINE_3');
    expect(nearestName('line3', ['line1', 'line2'])).toBe('line1');
  });

  it('finds the first of the names with the fewest edits, and at most two', () => {
    const name = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 7 });
    fc.assert(
      fc.property(name, fc.array(name, { maxLength: 6 }), (wanted, names) => {
        const edits = names.map((each) => distance(wanted, each));
        const fewest = Math.min(...edits, 3);
        expect(nearestName(wanted, names)).toBe(fewest > 2 ? undefined : names[edits.indexOf(fewest)]);
      }),
      { seed: 3, numRuns: 2000 },
    );
  });
});

describe('NearestNames', () => {
  const names = Array.from({ length: 1600 }, (_, i) => `${'column_with_a_long_name_that_ends_in_'}${i}x`);
  const WIDE = table(
    'wide',
    names.map((name) => column(name, 'int4')),
  );
  const misspelt = names.map((name) => name.toUpperCase());

  it('seeks the first few different names of a request, and answers these as often as they come', () => {
    const hints = new NearestNames();
    const answers = misspelt.map((name) => hints.column(WIDE, name));
    expect(answers.slice(0, 20)).toEqual(names.slice(0, 20));
    expect(answers.slice(20).every((answer) => answer === undefined)).toBe(true);
    expect(misspelt.map((name) => hints.column(WIDE, name))).toEqual(answers);
  });

  it('tells tables apart', () => {
    const hints = new NearestNames();
    expect(hints.column(table('a', [column('note', 'text')]), 'nte')).toBe('note');
    expect(hints.column(table('b', [column('not', 'text')]), 'nte')).toBe('not');
  });

  it('does not compare what is longer than any identifier, nor count it', () => {
    const hints = new NearestNames();
    for (let i = 0; i < 100; i++) expect(hints.column(WIDE, `${'x'.repeat(64)}${i}`)).toBeUndefined();
    expect(hints.column(WIDE, misspelt[0]!)).toBe(names[0]);
  });
});

/** Levenshtein's distance as it is defined. */
function distance(one: string, other: string): number {
  if (one === '' || other === '') return one.length + other.length;
  return Math.min(
    distance(one.slice(1), other.slice(1)) + (one[0] === other[0] ? 0 : 1),
    distance(one.slice(1), other) + 1,
    distance(one, other.slice(1)) + 1,
  );
}
