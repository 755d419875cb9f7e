import { describe, expect, it } from 'vitest';
import { isConvexCheck } from '../../src/services/catalog/is-convex-check.js';

describe('isConvexCheck', () => {
  it.each([
    ['(n >= 0)', 'n'],
    ['(n > 0)', 'n'],
    ['(n < 0)', 'n'],
    ['(n <= 0)', 'n'],
    ['(n = 7)', 'n'],
    ['(0 <= n)', 'n'],
    ['((n >= 0) AND (n <= 5))', 'n'],
    ['((n >= 0) AND (n <= 5) AND (n < 4))', 'n'],
    ['((n > 0) AND ((n < 9) AND ((n < 8) AND (n < 7))))', 'n'],
    ["(n >= '-5'::integer)", 'n'],
    ["(n <= '9000000000000'::bigint)", 'n'],
    ['(n >= (0)::numeric)', 'n'],
    ["(n >= ('-5'::integer)::numeric)", 'n'],
    ['(n <= 99.95)', 'n'],
    ["(n < '1e10'::numeric)", 'n'],
    ['((n)::numeric > 0.5)', 'n'],
    ['((n)::integer > 5)', 'n'],
    ['("Odd "".na(me" > 0)', 'Odd ".na(me'],
    ['("order" > 0)', 'order'],
  ])('holds for %s of %j', (expression, column) => {
    expect(isConvexCheck(expression, column)).toBe(true);
  });

  it.each([
    ['(n <> 3)', 'n'],
    ['((n < 0) OR (n > 5))', 'n'],
    ['(((n >= 0) AND (n <= 5)) OR (n = 9))', 'n'],
    ['((n >= 0) AND ((n < 3) OR (n > 5)))', 'n'],
    ['(NOT (n > 5))', 'n'],
    ['(n = ANY (ARRAY[1, 3]))', 'n'],
    ['((n % 2) = 0)', 'n'],
    ['((n * n) > 4)', 'n'],
    ['(abs(n) > 4)', 'n'],
    ['(n > m)', 'n'],
    ['(m > 0)', 'n'],
    ['(n > n)', 'n'],
    ['(1 > 0)', 'n'],
    ['(n > date_part(1))', 'n'],
    ['((- n) > 4)', 'n'],
    ['((n)::numeric(3,1) > 4)', 'n'],
    ['((n)::text > 4)', 'n'],
    ["(n > 'x'::text)", 'n'],
    ['(n IS NOT NULL)', 'n'],
    ['(n >= 0) OR (n > 5)', 'n'],
    ['((n >= 0) AND (m <= 5))', 'n'],
    ['(n OPERATOR(shop.>) 0)', 'n'],
    ['(N > 0)', 'N'],
    ['(nxm > 0)', 'n.m'],
    ["(n > 'x(n > 0)'::text)", 'n'],
    ['(((n > 0)) AND (m))', 'n'],
    ['((n > 0) AND)', 'n'],
    ['((n > 0)(n > 1))', 'n'],
    ['', 'n'],
    ['()', 'n'],
    ['true', 'n'],
  ])('does not hold for %s of %j', (expression, column) => {
    expect(isConvexCheck(expression, column)).toBe(false);
  });
});
