import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectAmqpCaller, type AmqpCaller } from '../support/amqp.js';
import { eventually } from '../support/eventually.js';
import { testSettings } from '../support/test-settings.js';
import { uniqueName } from '../support/unique-name.js';
import { accessibilityFaults, launchBrowser, settled, visit } from './support/browser.js';
import { startDashboard, type Dashboard } from './support/dashboard.js';
import { SHOP_TABLES } from './support/shop.js';

let dashboard: Dashboard;
let browser: Browser;
let broker: AmqpCaller;

beforeAll(async () => {
  const queue = uniqueName('queue');
  // No worker: what a test stores stays as it is.
  dashboard = await startDashboard(
    { BATCH_SERVICE_RMQ_QUEUE: queue, BATCH_EXAMPLE_JOBS: 'false' },
    { schema: SHOP_TABLES, role: 'api' },
  );
  broker = await connectAmqpCaller(testSettings().rabbitmq!.url, queue);
  browser = await launchBrowser();
});
afterAll(async () => {
  await browser?.close();
  await broker?.close();
  await dashboard?.close();
});

describe('where nothing has happened yet', () => {
  const pages: [path: string, texts: string[]][] = [
    ['/', ['Every lane goes on.', 'No operation has failed.', 'No worker was seen.']],
    ['/operations', ['No operations.', 'As soon as a service sends one, it is here.']],
    ['/operations?source=nobody', ['No operations.', 'Nothing matches the filter.']],
    ['/failures', ['No operation has failed.']],
    ['/failures?source=nobody', ['Nothing matches the filter.']],
    ['/lanes', ['No lanes yet.', 'Nothing is paused.']],
    ['/chunks', ['No chunks.', 'A worker makes one as soon as operations wait.']],
    ['/chunks?worker=nobody', ['No chunks.', 'Nothing matches the filter.']],
    ['/jobs', ['This service knows no jobs.', 'No job has run.']],
    ['/dead-letters', ['No message is parked.', 'The broker refuses none.']],
    ['/bulk-actions', ['No bulk action was begun.']],
    ['/alerts', ['No channel is configured', 'No alert is firing.', 'None was over lately.']],
  ];

  it('every page says so', async () => {
    const seen = await visit(browser, dashboard.url);
    for (const [path, texts] of pages) {
      await seen.open(path);
      for (const text of texts) await seen.page.getByText(text).first().waitFor();
      expect.soft(await seen.page.getByRole('alert').allInnerTexts(), path).toEqual([]);
      expect.soft(await seen.page.locator('.pager').count(), path).toBe(0);
      expect.soft(await accessibilityFaults(seen.page), path).toEqual([]);
    }
    expect(seen.faults).toEqual([]);
    await seen.close();
  });
});

describe('where a proxy does not let the stream of events through', () => {
  it('the numbers come by asking, and by the stream again when it does', async () => {
    const seen = await visit(browser, dashboard.url);
    const { page } = seen;
    const stream = '**/api/v1/stats/stream';
    await page.route(stream, (route) => route.fulfill({ status: 502, contentType: 'text/html', body: 'Bad gateway' }));
    await seen.open('/');
    await page.getByText('Every few seconds', { exact: true }).waitFor();
    const scheduled = page.locator('.tile', { hasText: 'Scheduled' }).locator('dd');
    await expect.poll(() => scheduled.innerText()).toBe('0');
    const runAt = new Date(Date.now() + 3_600_000).toISOString();
    await dashboard.api('POST', 'operations', { operationType: 'delete', target: 'visits', key: { id: 1 }, runAt });
    await expect.poll(() => scheduled.innerText(), { timeout: 20_000 }).toBe('1');
    await page.getByText('Every few seconds', { exact: true }).waitFor();
    await page.unroute(stream);
    await page.getByText('Live', { exact: true }).waitFor();
    expect(seen.faults).toEqual([]);
    await seen.close();
  });
});

describe('a list that has more than a page', () => {
  /** Rows of more than one page of each list, of which no worker takes any. */
  async function store(): Promise<void> {
    const { client } = dashboard.database;
    await dashboard.api('POST', 'operations', {
      operationType: 'insert',
      target: 'visits',
      values: { id: 0, page: '/' },
    });
    await client.query(
      `insert into batch.operations (id, shape, lane, priority, values, source, created_at)
       select gen_random_uuid(), shape, lane, 0, jsonb_build_array(n, '/page'), 'web', now() - interval '1 hour' + n * interval '1 s'
       from (select shape, lane from batch.operations order by seq desc limit 1) one, generate_series(1, 240) n`,
    );
    await client.query(
      `insert into batch.chunks (started_at, settled_at, operations, completed, failed, groups, statements, duration_ms, fallback, notify, worker, seqs)
       select now(), now(), 2, 0, 2, 1, 1, 1, false, false, 'test:1', int8multirange(int8range(seq, seq + 1, '[]'))
       from batch.operations where source = 'web' and seq % 2 = 0`,
    );
    await client.query(
      `insert into batch.outcomes (seq, chunk_id, rows_affected, attempts, status, code, message, constraint_name)
       select o.seq, c.id, 0, 1, 'failed', 'CHECK_VIOLATION', 'refused', 'rule_' || o.seq
       from batch.operations o join batch.chunks c on c.seqs @> o.seq where o.source = 'web'`,
    );
    for (let n = 1; n <= 60; n += 1) {
      await broker.emit('create_operation', { operationType: 'insert', target: 'nowhere', values: { id: n } });
      expect(await dashboard.api('POST', 'operations/retries', { filter: { source: `nobody-${n}` } })).toHaveProperty(
        'id',
      );
    }
    await eventually(
      async () => expect((await dashboard.api<{ total: number }>('GET', 'parked-messages')).total).toBe(60),
      { timeoutMs: 30_000 },
    );
  }
  beforeAll(store);

  const rows = (page: Page): Promise<string[]> =>
    page
      .locator('tbody tr td:first-child')
      .evaluateAll((cells: { textContent: string }[]) => cells.map(({ textContent }) => textContent));

  it.each([
    ['/operations?source=web', 50],
    ['/failures?target=visits', 100],
    ['/chunks?worker=test%3A1', 50],
    ['/bulk-actions', 50],
    ['/dead-letters', 50],
  ])('%s goes forward and back by keys, and its address shows the same page to somebody else', async (path, size) => {
    const seen = await visit(browser, dashboard.url);
    const { page } = seen;
    await seen.open(path);
    await expect.poll(async () => (await rows(page)).length).toBe(size);
    const first = await rows(page);
    await page.getByRole('link', { name: 'Next page' }).click();
    await expect.poll(async () => (await rows(page))[0]).not.toBe(first[0]);
    await settled(page);
    const second = await rows(page);
    expect(second.filter((row) => first.includes(row))).toEqual([]);
    const other = await visit(browser, dashboard.url);
    await other.page.goto(page.url());
    await expect.poll(() => rows(other.page)).toEqual(second);
    await other.page.getByRole('link', { name: 'First page' }).click();
    await expect.poll(() => rows(other.page)).toEqual(first);
    expect(new URL(other.page.url()).search).toBe(new URL(`${dashboard.url}${path}`).search);
    await page.getByRole('button', { name: 'Back' }).click();
    await expect.poll(() => rows(page)).toEqual(first);
    expect([...seen.faults, ...other.faults]).toEqual([]);
    await seen.close();
    await other.close();
  });

  it('the two lists of dead letters are paged each for itself', async () => {
    const { client } = dashboard.database;
    await client.query(
      `insert into batch.parked_notifications (chunk_id, source, reason, failures, parked_at, next_try_at)
       select n / 2, 'shop-' || n, 'refused', 1, now(), now() + interval '1 hour' from generate_series(1001, 1120) n`,
    );
    const seen = await visit(browser, dashboard.url);
    const { page } = seen;
    await seen.open('/dead-letters');
    const sources = (): Promise<string[]> =>
      page
        .getByRole('table', { name: 'Notifications that the broker refuses' })
        .locator('tbody td[data-name=Source]')
        .allInnerTexts();
    const expected = Array.from({ length: 120 }, (_, index) => `shop-${1001 + index}`);
    const next = page
      .getByRole('navigation', { name: 'Pages of the notifications that the broker refuses' })
      .getByRole('link', { name: 'Next page' });
    const messages = page.getByRole('table', { name: 'Parked messages, oldest first' }).locator('tbody tr');
    await page
      .getByRole('navigation', { name: 'Pages of the parked messages' })
      .getByRole('link', { name: 'Next page' })
      .click();
    await expect.poll(() => messages.count()).toBe(10);
    for (const from of [0, 50, 100]) {
      if (from > 0) await next.click();
      await expect.poll(sources).toEqual(expected.slice(from, from + 50));
      expect(await messages.count()).toBe(10);
      expect(await accessibilityFaults(page)).toEqual([]);
    }
    await expect.poll(() => next.count()).toBe(0);
    expect(seen.faults).toEqual([]);
    await seen.close();
    await client.query('delete from batch.parked_notifications');
  });

  async function limit(page: Page, field: string, value: string): Promise<void> {
    const input = page.getByRole('textbox', { name: field });
    await input.fill(value);
    await input.press('Enter');
  }

  it.each<
    [path: string, choose: (page: Page) => Promise<unknown>, search: Record<string, string | RegExp>, found: number]
  >([
    [
      '/operations',
      async (page) => {
        await page.getByLabel('Status').selectOption('failed');
        await limit(page, 'Table', 'visits');
        await limit(page, 'Source', 'web');
        await page.getByLabel('Error code').selectOption('CHECK_VIOLATION');
        await page.getByText('More filters').click();
        await limit(page, 'Constraint', 'rule_7');
        await page.getByLabel('Accepted after').fill('2026-01-01T00:00:00');
      },
      {
        ...{ status: 'failed', target: 'visits', source: 'web', code: 'CHECK_VIOLATION', constraint: 'rule_7' },
        createdAfter: /^20\d\d-.*Z$/,
      },
      1,
    ],
    [
      '/failures',
      async (page) => {
        await page.getByRole('combobox', { name: /^Code/ }).selectOption('CHECK_VIOLATION');
        await limit(page, 'Source', 'web');
      },
      { code: 'CHECK_VIOLATION', source: 'web' },
      100,
    ],
    [
      '/chunks',
      async (page) => {
        await page.getByRole('combobox', { name: 'Failures' }).selectOption('true');
        await page.getByLabel('Isolation').selectOption('false');
        await limit(page, 'Worker', 'test:1');
      },
      { failed: 'true', fallback: 'false', worker: 'test:1' },
      50,
    ],
    [
      '/lanes',
      async (page) => {
        await page.getByLabel('Show').selectOption('busy');
        await limit(page, 'Table', 'visi');
      },
      { show: 'busy', target: 'visi' },
      1,
    ],
  ])('%s keeps its filters in the address', async (path, choose, search, found) => {
    const seen = await visit(browser, dashboard.url);
    await seen.open(path);
    await choose(seen.page);
    const given = (): Record<string, string> => Object.fromEntries(new URL(seen.page.url()).searchParams);
    await expect
      .poll(given)
      .toEqual(Object.fromEntries(Object.entries(search).map(([name, value]) => [name, expect.stringMatching(value)])));
    await expect.poll(async () => (await rows(seen.page)).length).toBe(found);
    const other = await visit(browser, dashboard.url);
    await other.page.goto(seen.page.url());
    await expect.poll(() => rows(other.page)).toEqual(await rows(seen.page));
    await other.page.getByRole('link', { name: 'Clear' }).click();
    await expect.poll(() => new URL(other.page.url()).search).toBe('');
    expect([...seen.faults, ...other.faults]).toEqual([]);
    await seen.close();
    await other.close();
  });
});
