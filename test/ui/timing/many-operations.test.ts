import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { launchBrowser, settled, visit } from '../support/browser.js';
import { startDashboard, type Dashboard } from '../support/dashboard.js';
import { SHOP_TABLES } from '../support/shop.js';

const OPERATIONS = 1_000_000;
const PENDING = 60_000;
const FAILED = 100_000;
const FIRST_PAINT_MS = 1000;
/** One visit may meet something else that the machine does. The first one also warms up the server. */
const VISITS = 7;

let dashboard: Dashboard;
let browser: Browser;

beforeAll(async () => {
  // No worker: what waits keeps waiting.
  dashboard = await startDashboard({ BATCH_SERVICE_RMQ_URL: '', REDIS_URL: '' }, { schema: SHOP_TABLES, role: 'api' });
  browser = await launchBrowser();
  await dashboard.api('POST', 'operations', {
    operationType: 'insert',
    target: 'visits',
    values: { id: 0, page: '/' },
  });
  const { client } = dashboard.database;
  await client.query(
    `insert into batch.operations (id, shape, lane, priority, values, source, created_at)
     select gen_random_uuid(), shape, lane, 0, jsonb_build_array(n, '/page'), 'web', now() - interval '1 hour' + n * interval '1 ms'
     from (select shape, lane from batch.operations limit 1) one, generate_series(1, ${OPERATIONS}) n`,
  );
  await client.query(
    `insert into batch.chunks (started_at, settled_at, operations, completed, failed, groups, statements, duration_ms, fallback, notify, worker, seqs)
     select now(), now(), ${OPERATIONS - PENDING}, ${OPERATIONS - PENDING - FAILED}, ${FAILED}, 1, 1, 1000, false, false, 'test:1',
            int8multirange(int8range(min(seq) + 1, max(seq) - ${PENDING}, '[]'))
     from batch.operations`,
  );
  await client.query(
    `insert into batch.outcomes (seq, chunk_id, rows_affected, attempts, status, code, message, constraint_name)
     select seq, 1, 0, 1, 'failed', case when seq % 5 = 0 then 'CHECK_VIOLATION' else 'UNIQUE_VIOLATION' end, 'refused', 'visits_pkey'
     from batch.operations order by seq offset 1 limit ${FAILED}`,
  );
  await client.query(
    `insert into batch.pending (seq, shape, lane, priority)
     select seq, shape, lane, priority from batch.operations order by seq desc limit ${PENDING}`,
  );
  await client.query('analyze');
}, 300_000);
afterAll(async () => {
  await browser?.close();
  await dashboard?.close();
});

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

describe('the dashboard of a service with a million operations', () => {
  // The first paint needs the files of the page only: the median of the visits was 0.3 s on two processors with a load
  // of 7. The numbers come from the service and its database, which have to share these processors with Chromium: their
  // median was 0.85 s there, so only the best visit is judged.
  it(`paints the overview within ${FIRST_PAINT_MS} ms, and its numbers with it`, async () => {
    const paints: number[] = [];
    const numbers: number[] = [];
    for (let round = 0; round < VISITS; round++) {
      const seen = await visit(browser, dashboard.url);
      await seen.page.addInitScript(`
        new MutationObserver((_, observer) => {
          if (document.querySelector('.tile') === null) return;
          performance.mark('numbers');
          observer.disconnect();
        }).observe(document, { childList: true, subtree: true });`);
      await seen.open('/');
      await seen.page.locator('.tile').first().waitFor();
      const of = (entry: string): Promise<number> =>
        seen.page.evaluate<number>(`performance.getEntriesByName('${entry}')[0].startTime`);
      paints.push(await of('first-contentful-paint'));
      numbers.push(await of('numbers'));
      await seen.close();
    }
    const measured = `first paint ${paints.map(Math.round).join(', ')} ms; numbers ${numbers.map(Math.round).join(', ')} ms`;
    expect(median(paints), measured).toBeLessThanOrEqual(FIRST_PAINT_MS);
    expect(Math.min(...numbers), measured).toBeLessThanOrEqual(FIRST_PAINT_MS);
  });

  it('says that no worker is seen, and what to do', async () => {
    const seen = await visit(browser, dashboard.url);
    await seen.open('/');
    await seen.page.getByText('No worker is seen.').waitFor();
    await seen.page.getByText('npm run start:worker').first().waitFor();
    await seen.close();
  });

  it('pages through a hundred thousand failures by keys, and back', async () => {
    const seen = await visit(browser, dashboard.url);
    const ids = async (): Promise<string[]> =>
      seen.page
        .locator('tbody tr td:first-child a')
        .evaluateAll((links: { title: string }[]) => links.map(({ title }) => title));
    await seen.open('/operations?status=failed');
    const first = await ids();
    await seen.page.getByRole('link', { name: 'Next page' }).click();
    await expect.poll(ids).not.toEqual(first);
    await settled(seen.page);
    const second = await ids();
    expect([first.length, second.length]).toEqual([50, 50]);
    expect(new Set([...first, ...second]).size).toBe(100);
    expect(new URL(seen.page.url()).searchParams.get('cursor')).not.toBeNull();
    await seen.page.getByRole('button', { name: 'Back' }).click();
    await expect.poll(ids).toEqual(first);
    expect(seen.faults).toEqual([]);
    await seen.close();
  });

  it('marks every number that is not exact', async () => {
    const { client } = dashboard.database;
    const { rows } = await client.query<{ id: string }>('select id from batch.operations order by seq desc limit 1');
    await dashboard.api('POST', 'pauses', { kind: 'target', name: 'visits' });
    const seen = await visit(browser, dashboard.url);
    const { page } = seen;
    await seen.open('/');
    const tile = (name: string) => page.locator('.tile', { hasText: name }).locator('dd');
    await expect.poll(() => tile('Pending').innerText(), { timeout: 30_000 }).toMatch(/^≈ 60,\d\d\d/);
    await expect.poll(() => tile('Failures').innerText(), { timeout: 30_000 }).toMatch(/≈ 100,000 kept/);
    const failures = page.getByRole('table', { name: 'Failures by code and table' });
    await failures
      .getByText(/^≈ \d+,\d+ or more$/)
      .first()
      .waitFor();
    await page.getByRole('table', { name: 'Lanes that stand still' }).getByText('10,000 or more').waitFor();
    await seen.open('/lanes');
    await page.getByRole('table', { name: 'Lanes' }).getByText('10,000 or more').waitFor();
    await page.getByRole('table', { name: 'Pauses and drains' }).getByText('10,000 or more').waitFor();
    await seen.open('/failures');
    await page
      .locator('tbody')
      .getByText(/^≈ \d+,\d+ or more$/)
      .first()
      .waitFor();
    await seen.open(`/operations/${rows[0]!.id}`);
    await page.getByText('At least 10,000 operations of the lane come before it.').waitFor();
    await seen.open('/operations?status=pending');
    await page.getByRole('button', { name: 'Cancel all of these' }).click();
    await page.getByText(/^(At least )?[\d,]+ operations match\./).waitFor();
    expect(seen.faults).toEqual([]);
    await seen.close();
    await dashboard.api('DELETE', 'pauses/target/visits');
  });
});
