import { describe, expect, it } from 'vitest';
import { AccessTokens, type AccessToken } from '../../../../src/parts/http/access-tokens.js';
import { readRetryAfter } from '../../../../src/parts/http/http-call.js';
import { readTokenAnswer } from '../../../../src/parts/http/token-answer.js';

describe('access tokens', () => {
  const tokensOfLife = (lifeMs: number | undefined) => {
    const state = { now: 0, fetched: 0 };
    const fetchToken = (): Promise<AccessToken> => Promise.resolve({ value: `t${++state.fetched}`, lifeMs });
    return { state, tokens: new AccessTokens(fetchToken, () => state.now) };
  };

  it.each([
    ['an hour', 3_600_000, 3_540_000],
    ['ten seconds', 10_000, 9000],
  ])('of %s are used until shortly before they expire', async (_claim, lifeMs, renewAt) => {
    const { state, tokens } = tokensOfLife(lifeMs);
    await tokens.get();
    state.now = renewAt - 1;
    expect(await tokens.get()).toBe('t1');
    state.now = renewAt;
    expect(await tokens.get()).toBe('t2');
  });

  it('without an end are used until they are refused', async () => {
    const { state, tokens } = tokensOfLife(undefined);
    await tokens.get();
    state.now = Number.MAX_SAFE_INTEGER;
    expect(await tokens.get()).toBe('t1');
    tokens.forget('t1');
    expect(await tokens.get()).toBe('t2');
  });

  it('are not forgotten when an older one is refused', async () => {
    const { tokens } = tokensOfLife(undefined);
    tokens.forget(await tokens.get());
    await tokens.get();
    tokens.forget('t1');
    expect(await tokens.get()).toBe('t2');
  });

  it('are fetched anew after a failure, which all who waited are told', async () => {
    let fetched = 0;
    const tokens = new AccessTokens(() => {
      if (++fetched === 1) return Promise.reject(new Error('down'));
      return Promise.resolve({ value: 'good', lifeMs: undefined });
    });
    const waiting = await Promise.allSettled([tokens.get(), tokens.get()]);
    expect(waiting.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(await tokens.get()).toBe('good');
    expect(fetched).toBe(2);
  });
});

describe('the answer of a token endpoint', () => {
  it.each([
    ['{"access_token":"a","expires_in":3600}', { value: 'a', lifeMs: 3_600_000 }],
    ['{"access_token":"a","expires_in":"60"}', { value: 'a', lifeMs: 60_000 }],
    ['{"access_token":"a"}', { value: 'a', lifeMs: undefined }],
    ['{"access_token":"a","expires_in":0}', { value: 'a', lifeMs: undefined }],
    ['{"access_token":"a","expires_in":null}', { value: 'a', lifeMs: undefined }],
    ['{"token":"a"}', undefined],
    ['{"access_token":""}', undefined],
    ['<html>', undefined],
  ])('%s is read as %j', (text, expected) => {
    expect(readTokenAnswer(text)).toEqual(expected);
  });
});

describe('the header Retry-After', () => {
  const NOW = new Date('2026-01-01T00:00:00Z');
  it.each([
    ['120', 120_000],
    ['0', 0],
    ['Thu, 01 Jan 2026 00:00:30 GMT', 30_000],
    ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
    ['soon', undefined],
    [null, undefined],
  ])('%j is %j ms', (header, expected) => {
    expect(readRetryAfter(header, NOW)).toBe(expected);
  });
});
