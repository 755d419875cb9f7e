import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { createLogger, type LogSettings } from '../../src/services/observability/logger.js';
import { NestLogger } from '../../src/services/observability/nest-logger.js';
import { ExactJson } from '../../src/services/values/exact-json.js';
import { redactUrl } from '../../src/interfaces/redact-secrets.js';
import { currentRequestId, requestIdFrom, runInRequest } from '../../src/services/observability/request-context.js';

/** A logger, and the text that it has written so far. */
function logging(overrides: Partial<LogSettings> = {}) {
  const written: string[] = [];
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      written.push(chunk.toString());
      done();
    },
  });
  const logger = createLogger({ environment: 'production', logLevel: 'info', role: 'all', ...overrides }, destination);
  return {
    logger,
    nest: new NestLogger(logger),
    text: () => written.join(''),
    lines: () => written.map((line) => JSON.parse(line) as Record<string, unknown>),
  };
}

describe('the log', () => {
  it('is JSON with level, time and role in production', () => {
    const { logger, lines } = logging({ role: 'worker' });

    logger.info({ planned: 3 }, 'Chunk settled');

    expect(lines()).toEqual([
      expect.objectContaining({ level: 'info', role: 'worker', planned: 3, msg: 'Chunk settled', pid: process.pid }),
    ]);
    expect(Date.parse(String(lines()[0]?.time))).toBeGreaterThan(0);
  });

  it('shows a number that no double holds as text', () => {
    const { logger, lines } = logging();

    logger.info({ values: { n: new ExactJson('1.10') } }, 'Chunk settled');

    expect(lines()).toMatchObject([{ values: { n: '1.10' } }]);
  });

  it('is readable text elsewhere', () => {
    const { nest, text } = logging({ environment: 'development' });

    nest.log('Chunk settled', 'PollerService');

    expect(text()).toMatch(/INFO: \[PollerService\] Chunk settled\n$/);
  });

  it('says on behalf of which request a line was written, also after an await', async () => {
    const { logger, lines } = logging();

    await runInRequest('order-17', async () => {
      await Promise.resolve();
      logger.info('inside');
    });
    logger.info('outside');

    expect(lines().map(({ requestId }) => requestId)).toEqual(['order-17', undefined]);
  });

  it('never shows a secret, be it a field, part of a URL in a text, or in an error', () => {
    const { logger, nest, text } = logging();

    logger.info({
      password: 's3cret',
      database: { password: 's3cret' },
      request: { headers: { authorization: 's3cret' } },
    });
    logger.info('connecting to amqp://service:s3cret@broker:5672/batch');
    nest.error(new Error('no answer from redis://:s3cret@cache:6379'));
    nest.log({ msg: 'configured', url: 'postgres://app:s3cret@db/shop' });

    expect(text()).not.toContain('s3cret');
    expect(text()).toContain('amqp://service:***@broker:5672/batch');
  });

  it('never shows what an error of the driver holds of rows, parameters and connections', () => {
    const { logger, text, lines } = logging();
    const row = 'the row that nobody may see';
    const error = Object.assign(new Error('duplicate key value violates unique constraint "notes_pkey"'), {
      ...{ code: '23505', table: 'notes', constraint: 'notes_pkey' },
      ...{ detail: `Key (text)=(${row}) already exists.`, where: `unnamed portal parameter $1 = '${row}'` },
      ...{ query: `values ('${row}')`, parameters: [row], client: { activeQuery: { values: [row] } }, requests: [row] },
    });

    logger.error({ err: error }, 'Chunk failed');
    logger.error({ err: new AggregateError([error]) }, 'Chunk failed');
    logger.error({ err: new Error('around it', { cause: error }) }, 'Chunk failed');

    expect(text()).not.toContain(row);
    const known = { code: '23505', table: 'notes', constraint: 'notes_pkey' };
    expect(lines()[0]).toMatchObject({ err: { type: 'Error', ...known } });
    expect(lines()[1]).toMatchObject({ err: { aggregateErrors: [known] } });
    expect(lines()[2]).toMatchObject({ err: { message: expect.stringContaining('notes_pkey') as string } });
  });

  it('never shows a password in the query of a URL', () => {
    const { logger, nest, text } = logging();

    logger.info('Redis at redis://cache:6379/0?password=s3cret&family=6 and redis://cache?db=1&pass=s3cret');
    nest.error(new Error('no answer from "rediss://cache/?PWD=s3cret"'));
    logger.info({ url: 'https://host/?token=s3cret#there', other: 'https://host/?a=1&secret=s3cret' });

    expect(text()).not.toContain('s3cret');
    expect(text()).toContain('redis://cache:6379/0?password=***&family=6');
    expect(redactUrl('redis://cache?password=s3cret')).toBe('redis://cache?password=***');
  });

  it('never shows an API key, but tells whose it was', () => {
    const { logger, nest, text } = logging();
    const key = `bsk_0123456789abcdef_${'s3cret-_'.repeat(6).slice(0, 43)}`;

    logger.info(`refused ${key}`);
    logger.info({ requestId: key, nested: { deep: { in: { it: [key] } } } }, 'fields');
    nest.error(new Error(`Bearer ${key} and ${key.slice(0, 40)}`));
    logger.info({
      headers: { 'x-api-key': 's3cret', authorization: 'Basic s3cret' },
      text: 'Authorization: Bearer s3cret-token',
    });

    expect(text()).not.toContain('s3cret');
    expect(text()).toContain('refused bsk_0123456789abcdef_***');
  });

  it.each([
    ['log', 'info'],
    ['error', 'error'],
    ['warn', 'warn'],
    ['fatal', 'fatal'],
    ['debug', 'debug'],
    ['verbose', 'trace'],
  ] as const)("takes Nest's %s as %s", (method, level) => {
    const { nest, lines } = logging({ logLevel: 'trace' });

    nest[method]('text', 'Context');

    expect(lines()).toEqual([expect.objectContaining({ level, msg: 'text', context: 'Context' })]);
  });

  it('takes what Nest hands over apart: fields, errors, stacks and the context', () => {
    const { nest, lines } = logging();
    const error = new Error('refused');

    nest.log({ msg: 'Chunk settled', planned: 2 }, 'PollerService');
    nest.error('Could not settle', error, 'PollerService');
    nest.error('Could not settle', error.stack, 'PollerService');
    nest.error(error);
    nest.warn('only a text');

    expect(lines()).toMatchObject([
      { msg: 'Chunk settled', planned: 2, context: 'PollerService' },
      { msg: 'Could not settle', err: { type: 'Error', message: 'refused' }, context: 'PollerService' },
      { msg: 'Could not settle', stack: error.stack, context: 'PollerService' },
      { msg: 'refused', err: { message: 'refused' } },
      { msg: 'only a text' },
    ]);
    expect(lines()[4]).not.toHaveProperty('context');
  });

  it("keeps Nest's account of its wiring for the level debug", () => {
    const { nest, text } = logging();

    nest.log('Mapped {/health/live, GET} route', 'RouterExplorer');
    nest.error('Cannot resolve a dependency', 'RouterExplorer');

    expect(text()).not.toContain('Mapped');
    expect(text()).toContain('Cannot resolve');
  });

  it('leaves out what is below its level', () => {
    const { nest, lines } = logging({ logLevel: 'warn' });

    nest.log('too quiet');
    nest.warn('loud enough');

    expect(lines().map(({ msg }) => msg)).toEqual(['loud enough']);
  });
});

describe('a line of the log', () => {
  const long = (text: string): string => text.repeat(2 ** 20 / text.length);
  const cyclic: Record<string, unknown> = { text: 'short' };
  for (let index = 0; index < 100; index += 1) cyclic[`again${index}`] = [cyclic, cyclic];
  const deep = Array.from({ length: 10_000 }).reduce((inner) => ({ inner }), { text: 'deep' });
  const wordy = new Error(long('a.'), { cause: new Error(long('m://a:')) });
  const full = Object.assign(new AggregateError([wordy, wordy]), { requests: Array(100_000).fill({ sku: 'A-1' }) });

  const hostile: [string, (nest: NestLogger) => void][] = [
    ...['a.', 'a:', '://', 'm://a:', '@', '?password=', '\n', '\0', ' '].map(
      (text): [string, (nest: NestLogger) => void] => [
        `made of ${JSON.stringify(text)}`,
        (nest) => {
          nest.log(long(text));
          nest.error('text', long(text), 'Context');
          nest.log({ message: long(text), path: long(text), inner: { list: [long(text), long(text)] } });
        },
      ],
    ),
    ['with 100 000 entries', (nest) => nest.log({ list: Array(100_000).fill('entry'), msg: 'text' })],
    ['with 100 000 fields', (nest) => nest.log(Object.fromEntries(Object.entries(Array(100_000).fill(1))))],
    ['with a name of a megabyte', (nest) => nest.log({ [long('a.')]: 1, inner: { [long('a.')]: 1 } })],
    ['that nests deep', (nest) => nest.log(deep)],
    ['that holds itself in 200 places', (nest) => nest.log(cyclic)],
    [
      'of lists in lists',
      (nest) => nest.log({ lists: Array(50).fill(Array(50).fill(Array(50).fill(Array(50).fill(1)))) }),
    ],
    ['of an error with a long message and cause', (nest) => nest.error(wordy)],
    ['of an error with errors and rows', (nest) => nest.error('text', full)],
    ['with a number of a million digits', (nest) => nest.log({ number: 10n ** 1_000_000n })],
    ['with bytes', (nest) => nest.log({ bytes: Buffer.alloc(2 ** 20) })],
  ];

  it.each(
    (['production', 'development'] as const).flatMap((environment) =>
      hostile.map(([what, write]) => [environment, what, write] as const),
    ),
  )('is short, and written at once, in %s: one %s', (environment, _what, write) => {
    const { nest, text } = logging({ environment });
    const begun = performance.now();
    write(nest);
    const ms = performance.now() - begun;

    const lines = text().split('\n').filter(Boolean);
    expect(lines.length).toBeGreaterThan(0);
    // A character may take six in JSON.
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(250_000);
    // For three lines; the first texts took minutes.
    expect(ms).toBeLessThan(5000);
  });

  it('says how much of it was left out', () => {
    const { nest, lines } = logging();

    nest.log({ message: 'm'.repeat(9000), text: 't'.repeat(9000), list: Array(60).fill(1) });

    expect(lines()).toEqual([
      expect.objectContaining({
        msg: `${'m'.repeat(8192)}...[808 more characters]`,
        text: `${'t'.repeat(8192)}...[808 more characters]`,
        list: [...(Array(50).fill(1) as number[]), '…[10 more]'],
      }),
    ]);
  });

  it('hides what is named like a secret, however deep and in whatever letters', () => {
    const { nest, text } = logging();

    nest.log({ a: { b: { c: { Password: 's3cret', list: [{ 'X-API-Key': 's3cret' }] } } } });
    nest.error('text', Object.assign(new Error('refused'), { config: { auth: { password: 's3cret' } } }));

    expect(text()).not.toContain('s3cret');
  });

  it.each([
    'amqp://user:s3cret@elsewhere/vhost',
    'redis://:s3cret@s3cret@elsewhere/0',
    'https://elsewhere/?password=s3cret-s3cret',
    'Bearer s3cret-s3cret-s3cret',
    'bsk_0123456789abcdef_s3cret-s3cret-s3cret',
  ])('shows no part of a secret that its cut goes through: %s', (secret) => {
    for (let shown = 1; shown <= secret.length; shown += 1) {
      const { nest, text } = logging();
      const filler = 'x'.repeat(8191 - shown);
      const cut = `${filler} ${secret} and more`;
      nest.log({ message: cut, field: cut, list: [cut] });
      nest.error(new Error(cut));
      expect(text()).not.toContain('s3c');
    }
  });
});

describe('the id of a request', () => {
  it.each([
    'order-17',
    '0198f3a1-1d6c-7b1e-a0f5-1d2c3b4a5968',
    '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  ])('is what the caller offers, if that is sane: %s', (offered) => {
    expect(requestIdFrom(offered)).toBe(offered);
    expect(requestIdFrom(Buffer.from(offered))).toBe(offered);
  });

  it.each([undefined, null, '', 17, ['a', 'b'], 'two words', 'line\nbreak', 'x'.repeat(129), '{"$ne":1}'])(
    'is made where the caller offers none that could stand in a log: %j',
    (offered) => {
      expect(requestIdFrom(offered)).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
    },
  );

  it('ends with its request', () => {
    expect(runInRequest('order-17', currentRequestId)).toBe('order-17');
    expect(currentRequestId()).toBeUndefined();
  });
});
