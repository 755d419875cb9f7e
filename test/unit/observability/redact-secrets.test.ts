import { describe, expect, it } from 'vitest';
import { redactSecrets, redactUrl } from '../../../src/interfaces/redact-secrets.js';
import { processorMsOf } from '../../support/pathological.js';

describe('redactUrl', () => {
  it.each([
    ['amqp://guest:guest@localhost:5672', 'amqp://guest:***@localhost:5672'],
    ['rediss://:p%40ss@cache:6380/0', 'rediss://:***@cache:6380/0'],
    ['amqp://user:pass@word@host/vhost', 'amqp://user:***@host/vhost'],
    ['amqp://user:a:b:c@host/vhost', 'amqp://user:***@host/vhost'],
    ['http://localhost:3000/a:b@c', 'http://localhost:3000/a:b@c'],
    ['redis://localhost:6379', 'redis://localhost:6379'],
    ['one amqp://a:s3cret@b/ and another redis://:s3cret@c', 'one amqp://a:***@b/ and another redis://:***@c'],
  ])('turns %s into %s', (url, shown) => {
    expect(redactUrl(url)).toBe(shown);
  });
});

/** Each is repeated until the text is long: what makes an expression look again and again at what it has seen. */
const REPEATED = [
  'a',
  'a.',
  'a-',
  'a:',
  'a://',
  '://',
  '://a:',
  'a://b:c',
  ':',
  '@',
  ':@',
  '://:',
  '://:@',
  '?password=',
  '?pass',
  '&',
  '&pwd=&',
  'bsk_',
  'bsk_0123456789abcdef_',
  '0123456789abcdef_',
  'Bearer ',
  'Bearer x ',
  'bearer',
  ' ',
  '\n',
  '"',
  '\\"',
];
const LONGEST = 2 ** 20;
/** 1 MB takes some 10 ms; an expression that is quadratic takes minutes. */
const PATIENCE_MS = 500;

describe('hiding secrets', () => {
  const cases = REPEATED.flatMap((part) =>
    ['', 'a://u:', 'Bearer ', '?password=', 'bsk_'].map((start) => [start, part] as const),
  );

  it.each(cases)(
    'takes a time that grows with the length of the text: %j and then %j again and again',
    (start, part) => {
      for (let length = 2 ** 14; length <= LONGEST; length *= 2) {
        const text = start + part.repeat(length / part.length);
        const ms = processorMsOf((secret: string) => [redactSecrets(secret), redactUrl(secret)], text);
        expect(ms).toBeLessThan(PATIENCE_MS);
      }
    },
  );
});
