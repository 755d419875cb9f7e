import { describe, expect, it } from 'vitest';
import { FULL_ACCESS } from '../../../src/services/access/access.js';
import { CredentialCache, type Credential } from '../../../src/services/access/credential-cache.js';

const credential = (id: string, more: Partial<Credential> = {}): Credential => ({
  id,
  secretHash: Buffer.alloc(32),
  expiresAt: null,
  revokedAt: null,
  access: FULL_ACCESS,
  ...more,
});

/** Resolves when all that can go on has gone on. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A table of keys, a clock, and the questions that were asked. */
function setUp({ limit = 100 } = {}) {
  const stored = new Map<string, Credential>();
  const questions: string[][] = [];
  const clock = { now: 0 };
  const answers: (() => void)[] = [];
  let held = false;
  const cache = new CredentialCache({
    load: async (ids) => {
      questions.push([...ids]);
      if (held) await new Promise<void>((resolve) => answers.push(resolve));
      return ids.flatMap((id) => stored.get(id) ?? []);
    },
    ttlMs: 3000,
    limit,
    now: () => clock.now,
  });
  return {
    cache,
    stored,
    questions,
    clock,
    hold: () => (held = true),
    release: () => {
      held = false;
      for (const answer of answers.splice(0)) answer();
    },
  };
}

describe('the cache of credentials', () => {
  it('asks once for a busy caller, and again when what it knows is old', async () => {
    const { cache, stored, questions, clock } = setUp();
    stored.set('a', credential('a'));
    for (let i = 0; i < 100; i += 1) expect(await cache.find('a')).toBe(stored.get('a'));
    expect(questions).toEqual([['a']]);
    clock.now = 3000;
    await cache.find('a');
    expect(questions).toHaveLength(2);
  });

  it('sees a revocation within its time, counted from before the question', async () => {
    const { cache, stored, clock, hold, release } = setUp();
    stored.set('a', credential('a'));
    hold();
    const found = cache.find('a');
    // The answer is on its way for long.
    await settled();
    clock.now = 2999;
    release();
    expect((await found)?.revokedAt).toBeNull();
    stored.set('a', credential('a', { revokedAt: new Date() }));
    clock.now = 3000;
    expect((await cache.find('a'))?.revokedAt).toBeInstanceOf(Date);
  });

  it('remembers that an id is unknown, and hears of it when it is made', async () => {
    const { cache, stored, questions, clock } = setUp();
    expect(await cache.find('a')).toBeUndefined();
    expect(await cache.find('a')).toBeUndefined();
    expect(questions).toHaveLength(1);
    stored.set('a', credential('a'));
    clock.now = 3000;
    expect(await cache.find('a')).toBeDefined();
  });

  it('asks one question at a time for all who come meanwhile', async () => {
    const { cache, questions, hold, release } = setUp();
    hold();
    const first = cache.find('first');
    await settled();
    const others = Array.from({ length: 1000 }, (_, i) => cache.find(String(i % 500)));
    await settled();
    expect(questions).toEqual([['first']]);
    release();
    await Promise.all([first, ...others]);
    expect(questions.map((ids) => ids.length)).toEqual([1, 500]);
  });

  it('keeps no more than its limit, the latest', async () => {
    const { cache, questions } = setUp({ limit: 10 });
    for (let i = 0; i < 1000; i += 1) await cache.find(String(i));
    expect(cache.size).toBe(10);
    await cache.find('999');
    expect(questions).toHaveLength(1000);
  });

  it('keeps what it knows of a key, however many ids are made up', async () => {
    const { cache, stored, questions } = setUp({ limit: 10 });
    stored.set('a', credential('a'));
    await cache.find('a');
    for (let i = 0; i < 100; i += 1) await cache.find(String(i));
    await cache.find('a');
    expect(questions.filter(([id]) => id === 'a')).toHaveLength(1);
    expect(cache.size).toBe(11);
  });

  it('tells a fault to those who asked, and asks anew', async () => {
    let fault: Error | undefined = new Error('the database is gone');
    const cache = new CredentialCache({
      load: (ids) => (fault ? Promise.reject(fault) : Promise.resolve(ids.map((id) => credential(id)))),
      ttlMs: 3000,
      limit: 10,
    });
    await expect(Promise.all([cache.find('a'), cache.find('b')])).rejects.toThrow('gone');
    fault = undefined;
    expect(await cache.find('a')).toBeDefined();
  });
});
