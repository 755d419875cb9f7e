import { describe, expect, it } from 'vitest';
import { matchesPattern } from '../../../src/controllers/rpc/reply-queues.js';

describe('a name and a pattern with stars', () => {
  it.each([
    ['replies', 'replies', true],
    ['replies', 'replie', false],
    ['replies2', 'replies', false],
    ['shop.replies.1', 'shop.replies.*', true],
    ['shop.replies.', 'shop.replies.*', true],
    ['shop.replies', 'shop.replies.*', false],
    ['my.shop.replies.1', 'shop.replies.*', false],
    ['a.replies.b', '*.replies.*', true],
    ['a.replies', '*.replies', true],
    ['a.replies.b', '*.replies', false],
    ['aba', 'ab*ba', false],
    ['abba', 'ab*ba', true],
    ['a-b-c', 'a*b*c', true],
    ['a-c-b', 'a*b*c', false],
    ['(x)', '(x)', true],
    ['x', '.', false],
    ['anything', '*', true],
    ['', '*', true],
    ['axb', 'a**b', true],
  ])('%j and %j: %s', (name, pattern, matches) => {
    expect(matchesPattern(name, pattern)).toBe(matches);
  });

  it('are compared quickly, however hostile both are', () => {
    const startedAt = performance.now();
    for (let n = 0; n < 1000; n += 1) matchesPattern('a'.repeat(255), `${'a*'.repeat(127)}b`);
    expect(performance.now() - startedAt).toBeLessThan(1000);
  });
});
