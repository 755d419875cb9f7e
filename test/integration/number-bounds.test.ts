import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../support/app.js';

/** What PostgreSQL's `numeric` holds before the point. */
const MOST_DIGITS = 131_072;
/** Of a number with a million digits; the service once calculated with them for seconds. */
const QUICK_MS = 2000;

let service: TestApp;

beforeAll(async () => {
  service = await startTestApp(
    { BATCH_SERVICE_RMQ_URL: '' },
    {
      schema:
        'create table account (id int primary key, amount numeric, whole int8, rate double precision, note jsonb);' +
        'insert into account (id) values (1)',
    },
  );
});
afterAll(() => service.close());

async function post(path: string, body: string): Promise<{ status: number; body: unknown; ms: number }> {
  const startedAt = performance.now();
  const response = await fetch(`${service.url}/api/v1/operations${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  const answer: unknown = await response.json();
  return { status: response.status, body: answer, ms: performance.now() - startedAt };
}

/** Written by hand: a program of JavaScript has no such number. */
const request = (operationType: string, column: string, value: string): string => {
  const row = operationType === 'insert' || operationType === 'upsert' ? '"id": 1, ' : '';
  const key = row === '' ? '"key": { "id": 1 }, ' : '';
  return `{ "operationType": "${operationType}", "target": "account", ${key}"values": { ${row}"${column}": ${value} } }`;
};
const stored = async (): Promise<number> =>
  (await service.database.client.query<{ n: number }>('select count(*)::int as n from batch.operations')).rows[0]!.n;

const MILLION = '7'.repeat(1_000_000);

describe('a number of a million digits over REST', () => {
  it.each([
    ['increment', 'amount', MILLION],
    ['increment', 'amount', `"${MILLION}"`],
    ['increment', 'amount', `-${MILLION}`],
    ['increment', 'amount', `0.${MILLION.slice(1)}`],
    ['increment', 'amount', `"0x${MILLION.slice(2)}"`],
    ['increment', 'amount', `1e${MILLION.slice(2)}`],
    ['increment', 'whole', `"${MILLION}"`],
    ['insert', 'amount', MILLION],
    ['upsert', 'amount', `"${MILLION}"`],
    ['update', 'amount', MILLION],
    ['update', 'whole', `"${MILLION}"`],
  ])('is refused for what it is, at once: %s of %s', async (type, column, value) => {
    const before = await stored();
    const { status, body, ms } = await post('', request(type, column, value));
    expect({ status, body }).toMatchObject({
      status: 422,
      body: { code: 'VALUE_OUT_OF_RANGE', details: { column } },
    });
    // The number is not repeated.
    expect(JSON.stringify(body).length).toBeLessThan(3000);
    expect(ms).toBeLessThan(QUICK_MS);
    expect(await stored()).toBe(before);
  });

  it('that JavaScript would have rounded is to be sent as a string', async () => {
    const { status, body, ms } = await post('', request('increment', 'whole', MILLION));
    expect({ status, body }).toMatchObject({
      status: 422,
      body: { code: 'INVALID_VALUE', detail: expect.stringContaining('send it as a string') as string },
    });
    expect(ms).toBeLessThan(QUICK_MS);
  });

  it.each([
    ['increment', 'rate', MILLION],
    ['update', 'note', `{ "deep": [${MILLION}] }`],
  ])('is refused by the database where only it knows the bounds, at once: %s of %s', async (type, column, value) => {
    const startedAt = performance.now();
    const { status, body } = await post('', request(type, column, value));
    expect(status).toBe(201);
    const response = await fetch(`${service.url}/api/v1/operations/${(body as { id: string }).id}?wait=10000`);
    const { status: outcome, error } = (await response.json()) as { status: string; error: { message: string } };
    expect({ outcome, error }).toMatchObject({ outcome: 'failed', error: { code: 'VALUE_OUT_OF_RANGE' } });
    expect(error.message.length).toBeLessThan(3000);
    expect(performance.now() - startedAt).toBeLessThan(QUICK_MS);
  });

  it('spoils no other of its list, and no plan', async () => {
    const list = [request('increment', 'amount', MILLION), request('increment', 'amount', '1')].join(', ');
    const refused = { error: { code: 'VALUE_OUT_OF_RANGE' } };
    expect(await post('/bulk', `{ "operations": [${list}] }`)).toMatchObject({
      status: 200,
      body: { results: [refused, { created: true }] },
    });
    expect(await post('/plan', `{ "operations": [${list}] }`)).toMatchObject({
      status: 200,
      body: { operations: [refused, { group: 0 }] },
    });
  });
});

describe('a number over REST', () => {
  it.each(['increment', 'insert', 'update'])(
    'may have as many digits as numeric holds, and no more: %s',
    async (type) => {
      const most = '9'.repeat(MOST_DIGITS);
      expect(await post('', request(type, 'amount', most))).toMatchObject({ status: 201 });
      expect(await post('', request(type, 'amount', `${most}9`))).toMatchObject({
        status: 422,
        body: { code: 'VALUE_OUT_OF_RANGE' },
      });
    },
  );
});
