import { describe, expect, it } from 'vitest';
import { Turns } from '../../src/services/intake/turns.js';

const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('turns', () => {
  it('begin in the order in which they were taken, each when the one before has ended', async () => {
    const turns = new Turns();
    const begun: string[] = [];
    const taken = ['a', 'b', 'c'].map((name) => {
      const turn = turns.take('caller');
      void turn.begun.then(() => begun.push(name));
      return turn;
    });
    await settle();
    expect(begun).toEqual(['a']);
    // Ready before it is its turn.
    taken[1]!.end();
    await settle();
    expect(begun).toEqual(['a']);
    taken[0]!.end();
    await settle();
    expect(begun).toEqual(['a', 'b', 'c']);
  });

  it('of one caller do not wait for those of another', async () => {
    const turns = new Turns();
    turns.take('slow');
    let begun = false;
    void turns.take('other').begun.then(() => (begun = true));
    await settle();
    expect(begun).toBe(true);
  });

  it('leave nothing behind', async () => {
    const turns = new Turns();
    const [first, second] = [turns.take(1), turns.take(1)];
    first.end();
    second.end();
    second.end();
    await settle();
    expect((turns as unknown as { last: Map<unknown, unknown> }).last.size).toBe(0);
  });
});
