import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { IChunk } from '../../src/interfaces/chunk.js';
import type { IPage } from '../../src/interfaces/operation.js';
import { walkInOrder } from '../../src/services/database/walk-in-order.js';
import { selectChunkPage, type ChunkFilter } from '../../src/services/outcomes/chunks.sql.js';
import { FIRST_PAGE } from '../../src/services/outcomes/cursor.js';
import { startTestApp, type TestApp } from '../support/app.js';

const CHUNKS = 1_000_000;
/** The chunks that a page examines at most have plans that lie in their rows, as wide as PostgreSQL leaves them there. */
const WIDE = 20_000;
/** Above what it takes on a busy machine, far below what walking all chunks would. */
const LONGEST_MS = 200;

let service: TestApp;

/** One chunk in 50 000 has failures, one in 100 000 a fallback; worker `b` executed the first half, and `rare` one of it. */
beforeAll(async () => {
  service = await startTestApp({ BATCH_SERVICE_RMQ_URL: '', BATCH_ROLE: 'api' }, {});
  await service.database.client.query(`
    drop index batch.chunks_seqs_idx;
    insert into batch.chunks (seqs, worker, operations, completed, failed, groups, statements, fallback, notify,
      started_at, settled_at, duration_ms, plan)
    select int8multirange(int8range(n, n + 1)), case when n = 17 then 'rare' when n <= ${CHUNKS / 2} then 'b' else 'a' end, 1,
      case when n % 50000 = 7 then 0 else 1 end, case when n % 50000 = 7 then 1 else 0 end, 1, 1, n % 100000 = 7, false,
      now(), now(), 1, case when n > ${CHUNKS - WIDE} then to_json(repeat(md5(n::text), 40)) end
    from generate_series(1, ${CHUNKS}) n`);
}, 180_000);
afterAll(() => service?.close());

async function page(query: string): Promise<IPage<IChunk>> {
  const response = await fetch(`${service.url}/api/v1/chunks?${query}`);
  expect(response.status).toBe(200);
  return (await response.json()) as IPage<IChunk>;
}

/** All pages, and how many there were. */
async function all(query: string): Promise<{ ids: number[]; pages: number }> {
  const ids: number[] = [];
  let pages = 0;
  for (let cursor = ''; ; pages += 1) {
    const { items, nextCursor } = await page(`${query}${cursor}`);
    ids.push(...items.map(({ id }) => Number(id)));
    if (nextCursor === undefined) return { ids, pages: pages + 1 };
    cursor = `&cursor=${nextCursor}`;
  }
}

const every = (step: number): number[] =>
  Array.from({ length: CHUNKS / step }, (_, index) => CHUNKS - step * (index + 1) + 7);

describe('the list of a million chunks', () => {
  it('finds the few chunks with failures, and with a fallback, at once', async () => {
    expect(await all('failed=true')).toEqual({ ids: every(50_000), pages: 1 });
    expect(await all('fallback=true')).toEqual({ ids: every(100_000), pages: 1 });
    expect(await all('failed=true&fallback=true')).toEqual({ ids: every(100_000), pages: 1 });
    const noFallback = every(50_000).filter((id) => id % 100_000 !== 7);
    expect(await all('failed=true&fallback=false&limit=3')).toMatchObject({ ids: noFallback });
  });

  it('finds those of a worker, newest first, page by page', async () => {
    const { items, nextCursor } = await page('worker=a&limit=2');
    expect(items.map(({ id, worker }) => [id, worker])).toEqual([
      [String(CHUNKS), 'a'],
      [String(CHUNKS - 1), 'a'],
    ]);
    expect((await page(`worker=a&limit=1&cursor=${nextCursor}`)).items[0]!.id).toBe(String(CHUNKS - 2));
    expect(await all('worker=b&failed=true&limit=1000')).toEqual({
      ids: every(50_000).filter((id) => id <= CHUNKS / 2),
      pages: 1,
    });
    expect(await page('worker=b&limit=1')).toEqual({ items: [], nextCursor: String(CHUNKS - 9999) });
    // It examines 10 000 chunks a page.
    expect(await all('worker=rare')).toEqual({ ids: [17], pages: CHUNKS / 10_000 + 1 });
  });

  it('is all chunks without a filter', async () => {
    const { items, nextCursor } = await page('limit=3');
    expect(items.map(({ id }) => Number(id))).toEqual([CHUNKS, CHUNKS - 1, CHUNKS - 2]);
    expect(nextCursor).toBe(String(CHUNKS - 2));
    expect(await page('limit=5&cursor=3')).toMatchObject({ items: [{ id: '2' }, { id: '1' }] });
  });

  it.each<[query: string, reason: string]>([
    ['failed=1', 'failed must be true or false'],
    ['fallback=yes', 'fallback must be true or false'],
    ['worker=a&worker=b', 'worker must be one text'],
    ['cursor=x', 'cursor must be the nextCursor'],
  ])('refuses %s', async (query, reason) => {
    const response = await fetch(`${service.url}/api/v1/chunks?${query}`);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      code: 'INVALID_REQUEST',
      detail: expect.stringContaining(reason) as string,
    });
  });

  it.each<[ChunkFilter, index: string]>([
    [{}, 'chunks_pkey'],
    [{ worker: 'nobody' }, 'chunks_pkey'],
    [{ failed: false, fallback: false, worker: 'a' }, 'chunks_pkey'],
    [{ failed: true }, 'chunks_failed_idx'],
    [{ failed: true, worker: 'nobody' }, 'chunks_failed_idx'],
    [{ fallback: true }, 'chunks_fallback_idx'],
    [{ fallback: true, failed: false }, 'chunks_fallback_idx'],
  ])('reads at most as many chunks as a page examines: %j by %s', async (filter, index) => {
    const client = await service.database.client.connect();
    try {
      await client.query('begin');
      await client.query(walkInOrder());
      const { text, values } = selectChunkPage(filter, FIRST_PAGE, 100, 10_000);
      const { rows } = await client.query<{ 'QUERY PLAN': [{ 'Execution Time': number }] }>({
        text: `explain (analyze, format json) ${text}`,
        values,
      });
      const [explained] = rows[0]!['QUERY PLAN'];
      const plan = JSON.stringify(explained);
      expect(plan).toContain(`"Index Name":"${index}"`);
      expect(plan).not.toContain('Seq Scan');
      const read = [...plan.matchAll(/"Node Type":"Index[^}]*?"Actual Rows":(\d+)/g)].map(([, count]) => Number(count));
      expect(read).toHaveLength(1);
      expect(read[0]).toBeLessThanOrEqual(10_000);
      for (const [, removed] of plan.matchAll(/"Rows Removed by Filter":(\d+)/g)) {
        expect(Number(removed)).toBeLessThanOrEqual(10_000);
      }
      expect(explained['Execution Time']).toBeLessThan(LONGEST_MS);
    } finally {
      await client.query('rollback');
      client.release();
    }
  });
});
