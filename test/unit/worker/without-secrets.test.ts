import { UnrecoverableError } from 'bullmq';
import { describe, expect, it } from 'vitest';
import { withoutSecrets } from '../../../src/worker/processor/without-secrets.js';

const hide = (text: string): string => text.replaceAll('secret', '***');

describe('an error without secrets', () => {
  it('is the same error, with its type and its code', () => {
    const error = new UnrecoverableError('the password is secret');
    const hidden = withoutSecrets(Object.defineProperty(error, 'code', { value: 'NO' }), hide);
    expect(hidden).toBe(error);
    expect(hidden).toMatchObject({ message: 'the password is ***', code: 'NO' });
    expect(hidden.stack).not.toContain('secret');
  });

  it('keeps the reason of a call that has taken too long, whose message has only a getter', async () => {
    const signal = AbortSignal.timeout(1);
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    expect(withoutSecrets(signal.reason, hide)).toMatchObject({
      name: 'TimeoutError',
      message: 'The operation was aborted due to timeout',
    });
  });

  it.each([
    ['frozen', (error: Error) => Object.freeze(error)],
    ['sealed', (error: Error) => Object.seal(error)],
    ['not extensible', (error: Error) => Object.preventExtensions(error)],
  ])('keeps its class and its code when it is %s', (_, close) => {
    const error = Object.assign(new UnrecoverableError('the password is secret'), { code: 'NO' });
    const hidden = withoutSecrets(close(error), hide);
    expect(hidden).toBeInstanceOf(UnrecoverableError);
    expect(hidden).toMatchObject({ name: 'UnrecoverableError', message: 'the password is ***', code: 'NO' });
    expect(hidden.stack).toMatch(/\n {4}at /);
    expect(hidden.stack).not.toContain('is secret');
  });

  it.each([
    ['a text', 'secret', '***'],
    ['nothing', undefined, 'undefined'],
    ['a frozen error', Object.freeze(new Error('a secret')), 'a ***'],
  ])('is made of %s', (_, thrown, message) => {
    expect(withoutSecrets(thrown, hide)).toMatchObject({ message });
  });
});
