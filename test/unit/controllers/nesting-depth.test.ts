import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nestsDeeperThan } from '../../../src/controllers/read-body.js';
import { runSteps } from '../../../src/services/steps/steps.js';

const isDeeper = (limit: number, text: string): boolean => runSteps(nestsDeeperThan(limit, Buffer.from(text)));

const depthOf = (value: unknown): number =>
  typeof value === 'object' && value !== null ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0;

describe('nestsDeeperThan', () => {
  it('agrees with the depth of what the text says', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), fc.nat(6), (value, limit) => {
        expect(isDeeper(limit, JSON.stringify(value))).toBe(depthOf(value) > limit);
      }),
    );
  });

  it.each([
    ['brackets in a text', '{"a":"[[[[[["}', false],
    ['an escaped quote', '{"a":"\\"[[[[[["}', false],
    ['an escaped backslash before the end of a text', '["\\\\",[[[]]]]', true],
    ['a text that never ends', '"[[[[[[', false],
    ['a body that is cut off', '[[[[[', true],
    ['more that closes than opens', ']]]]]][[[[', false],
    ['nothing', '', false],
    ['brackets far behind', `${'[1],'.repeat(50_000)}[[[`, true],
    ['brackets in a long text', `"${'[['.repeat(50_000)}\\"[["`, false],
  ])('bears %s', (_what, text, expected) => {
    expect(isDeeper(2, text)).toBe(expected);
  });
});
