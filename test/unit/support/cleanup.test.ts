import { describe, expect, it } from 'vitest';
import { Cleanup } from '../../support/cleanup.js';

describe('the clean-up', () => {
  it('undoes the latest first, all of it, and tells what went wrong', async () => {
    const cleanup = new Cleanup();
    const undone: string[] = [];
    const undo = (what: string) => () => Promise.resolve(undone.push(what));
    cleanup.add('database', undo('database'));
    cleanup.add('service', () => Promise.reject(new Error('it hangs')));
    cleanup.add('shop', undo('shop'));
    expect(await cleanup.run()).toEqual(['service: it hangs']);
    expect(undone).toEqual(['shop', 'database']);
  });
});
