import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { IFailures } from '../../src/interfaces/failure.js';
import { startTestApp, type TestApp } from '../support/app.js';

interface Failed {
  target?: string;
  code?: string;
  constraint?: string | null;
  source?: string;
  count?: number;
  at?: string;
}

const AT = '2026-01-01T08:00:00.000Z';
let service: TestApp;

beforeAll(async () => {
  service = await startTestApp({ BATCH_SERVICE_RMQ_URL: '', BATCH_ROLE: 'api' });
});
afterAll(() => service.close());
beforeEach(async () => {
  await service.database.client.query('truncate batch.operations, batch.outcomes, batch.shapes');
});

/** Stores operations that failed, a millisecond after one another from `at`. */
async function fail(failed: Failed): Promise<void> {
  const {
    target = 'public.orders',
    code = 'UNIQUE_VIOLATION',
    constraint = null,
    source = 'shop',
    count = 1,
    at = AT,
  } = failed;
  await service.database.client.query(
    `with shape as (
       insert into batch.shapes (hash, type, target, documents, by_column, must_exist)
       values (gen_random_uuid(), 'insert', $1, '{}', false, false) returning id
     ), o as (
       insert into batch.operations (id, shape, values, source, lane)
       select gen_random_uuid(), shape.id, '[null, null]', $4, 0 from shape, generate_series(1, $5) order by 1
       returning seq
     )
     insert into batch.outcomes (seq, status, rows_affected, attempts, code, message, constraint_name, settled_at)
     select seq, 'failed', 0, 1, $2, 'message ' || row_number() over (order by seq), $3,
       $6::timestamptz + row_number() over (order by seq) * interval '1 ms' from o`,
    [target, code, constraint, source, count, at],
  );
}

async function ask(query = ''): Promise<{ status: number; body: IFailures & { code?: string } }> {
  const response = await fetch(`${service.url}/api/v1/failures${query}`);
  return { status: response.status, body: (await response.json()) as IFailures };
}
const failures = async (query = ''): Promise<IFailures> => (await ask(query)).body;
const counts = ({ items }: IFailures): unknown[] =>
  items.map((item) => [item.code, item.constraint, item.target, item.count]);

describe('groups of failures', () => {
  it('are grouped by code, constraint and table, with the first, the last and an example', async () => {
    await fail({ constraint: 'orders_pkey', count: 3 });
    await fail({ constraint: 'orders_pkey', count: 1, at: '2026-01-02T08:00:00Z' });
    await fail({ constraint: 'orders_email_key' });
    await fail({ code: 'ROW_NOT_FOUND', target: 'public.stock' });
    await fail({ code: 'ROW_NOT_FOUND', count: 2 });
    const { items, ...rest } = await failures();
    expect(rest).toEqual({ examined: 8, isComplete: true });
    expect(counts({ items, ...rest })).toEqual([
      ['ROW_NOT_FOUND', undefined, 'public.orders', 2],
      ['ROW_NOT_FOUND', undefined, 'public.stock', 1],
      ['UNIQUE_VIOLATION', 'orders_email_key', 'public.orders', 1],
      ['UNIQUE_VIOLATION', 'orders_pkey', 'public.orders', 4],
    ]);
    expect(items[3]).toMatchObject({
      ...{ countIsExact: true, firstAt: '2026-01-01T08:00:00.001Z', lastAt: '2026-01-02T08:00:00.001Z' },
      example: { id: expect.any(String) as string, message: 'message 1' },
    });
    const read = await fetch(`${service.url}/api/v1/operations/${items[3]!.example.id}`);
    expect(await read.json()).toMatchObject({ status: 'failed', target: 'public.orders' });
  });

  it('do not contain what was cancelled, or was retried since', async () => {
    await fail({ count: 2 });
    await service.database.client.query(`update batch.outcomes set status = 'cancelled'`);
    expect(await failures()).toEqual({ items: [], examined: 0, isComplete: true });
    expect(await failures(`?since=${AT}`)).toEqual({ items: [], examined: 0, isComplete: true });
  });

  it.each([
    ['?target=stock', [['UNIQUE_VIOLATION', 'stock_pkey', 'public.stock', 2]]],
    ['?target=public.stock', [['UNIQUE_VIOLATION', 'stock_pkey', 'public.stock', 2]]],
    ['?source=mail', [['CHECK_VIOLATION', 'positive', 'public.orders', 4]]],
    ['?code=CHECK_VIOLATION', [['CHECK_VIOLATION', 'positive', 'public.orders', 4]]],
    ['?code=NOT_NULL_VIOLATION', []],
    ['?since=2026-01-05T00:00:00Z', [['CHECK_VIOLATION', 'positive', 'public.orders', 4]]],
    ['?since=2026-01-05T00:00:00Z&code=UNIQUE_VIOLATION', []],
    ['?since=2026-01-01T00:00:00Z&target=stock&source=shop', [['UNIQUE_VIOLATION', 'stock_pkey', 'public.stock', 2]]],
  ])('are chosen by %s', async (query, expected) => {
    await fail({ target: 'public.stock', constraint: 'stock_pkey', count: 2 });
    await fail({ constraint: 'orders_pkey', count: 3 });
    await fail({
      code: 'CHECK_VIOLATION',
      constraint: 'positive',
      source: 'mail',
      count: 4,
      at: '2026-01-06T00:00:00Z',
    });
    expect(counts(await failures(query))).toEqual(expected);
  });

  it.each(['', '&since=2026-01-01T00:00:00Z', '&code=UNIQUE_VIOLATION'])(
    'come in pages, each group once: %s',
    async (query) => {
      for (const constraint of [null, 'a_key', 'b_key', 'c_key', 'd_key']) {
        await fail({ constraint });
        await fail({ constraint, target: 'public.stock' });
      }
      const all = counts(await failures(`?limit=100${query}`));
      expect(all).toHaveLength(10);
      const paged: unknown[] = [];
      let cursor = '';
      do {
        const page = await failures(`?limit=2${query}${cursor}`);
        paged.push(...counts(page));
        cursor = page.nextCursor === undefined ? '' : `&cursor=${page.nextCursor}`;
      } while (cursor !== '');
      expect(paged).toEqual(all);
    },
  );

  it('say where a count is not exact, and still have every kind of failure', async () => {
    await fail({ constraint: 'orders_pkey', count: 30_000 });
    await fail({ code: 'CHECK_VIOLATION', constraint: 'rare' });
    const page = await failures();
    expect(page.isComplete).toBe(false);
    expect(page.items).toMatchObject([
      { code: 'CHECK_VIOLATION', count: 1, countIsExact: true },
      { code: 'UNIQUE_VIOLATION', count: 5000, countIsExact: false, firstAt: '2026-01-01T08:00:00.001Z' },
    ]);
    const since = await failures(`?since=${AT}`);
    expect(since).toMatchObject({ isComplete: false, examined: 10_000 });
    expect(since.items).toMatchObject([{ count: 10_000, countIsExact: false }]);
    expect(await failures('?since=2026-01-01T08:00:29Z')).toMatchObject({
      isComplete: true,
      items: [{ countIsExact: true }],
    });
  });

  it.each([
    '?limit=0',
    '?limit=101',
    '?since=yesterday',
    '?code=NONSENSE',
    '?cursor=abc',
    '?cursor=WyJhIl0',
    '?target=a.b.c',
  ])('are refused for %s', async (query) => {
    expect(await ask(query)).toMatchObject({ status: 400, body: { code: 'INVALID_REQUEST' } });
  });
});
