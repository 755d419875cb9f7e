import { makeId } from '../../src/client/make-id.js';
import pg from 'pg';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { IBatchOperation, IPage } from '../../src/interfaces/operation.js';
import { clientOptions } from '../support/test-databases.js';
import {
  accessibilityFaults,
  accessibilityFaultsInBoth,
  launchBrowser,
  NARROW,
  settled,
  visit,
} from './support/browser.js';
import { startDashboard, type Dashboard } from './support/dashboard.js';
import { fillShop, runJobs, SCRIPT, SHOP_TABLES, type ShopIds } from './support/shop.js';

let dashboard: Dashboard;
let browser: Browser;
let ids: ShopIds;
let jobs: Awaited<ReturnType<typeof runJobs>>;

beforeAll(async () => {
  dashboard = await startDashboard({ BATCH_EXAMPLE_JOBS: 'true' }, { schema: SHOP_TABLES });
  browser = await launchBrowser();
  ids = await fillShop(dashboard);
  jobs = await runJobs(dashboard);
});
afterAll(async () => {
  await browser?.close();
  await dashboard?.close();
  await jobs?.remove();
});

const operation = (id: string): Promise<IBatchOperation> => dashboard.api('GET', `operations/${id}`);
const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });
const inDialog = (page: Page, name: string) => button(page, name).and(page.locator('dialog button'));

describe('the overview', () => {
  it('shows new numbers by itself', async () => {
    const seen = await visit(browser, dashboard.url);
    await seen.open('/');
    const scheduled = seen.page.locator('.tile', { hasText: 'Scheduled' }).locator('dd');
    const before = Number(await scheduled.innerText());
    await seen.page.getByText('Live', { exact: true }).waitFor();
    const runAt = new Date(Date.now() + 3_600_000).toISOString();
    await dashboard.api('POST', 'operations', { operationType: 'delete', target: 'visits', key: { id: 77 }, runAt });
    await expect.poll(() => scheduled.innerText()).toBe(String(before + 1));
    await seen.close();
  });

  it('leads from a lane that a lock holds to the operation and to who holds it', async () => {
    const holder = new pg.Client(clientOptions(dashboard.database.connection));
    await holder.connect();
    await holder.query(`begin; update stock set quantity = 3 where sku = 'A-17'`);
    const id = makeId();
    await dashboard.api('POST', 'operations', {
      ...{ id, operationType: 'update', target: 'stock', key: { sku: 'A-17' }, values: { quantity: 2 } },
    });
    const seen = await visit(browser, dashboard.url);
    try {
      await seen.open('/');
      await seen.page.getByText('1 lane stands still.').waitFor();
      await seen.page.getByRole('link', { name: /See why/ }).click();
      await settled(seen.page);
      await seen.page.locator(`tbody a[href$="${id}"]`).first().click();
      await seen.page.getByRole('heading', { name: 'Operation' }).waitFor();
      expect(seen.page.url()).toContain(id);
      const reason = seen.page.locator('.reason');
      await reason.getByText(/waited for a lock/).waitFor();
      await reason.getByText('update stock set quantity = 3').first().waitFor();
    } finally {
      await holder.query('rollback');
      await holder.end();
    }
    await expect.poll(async () => (await operation(id)).status, { timeout: 20_000 }).toBe('completed');
    expect(seen.faults).toEqual([]);
    await seen.close();
  });
});

describe('a service that is gone', () => {
  it.each([
    ['the overview', () => '/', '.tile'],
    ['a list', () => '/operations?status=scheduled', 'tbody tr'],
    ['an operation that waits', () => `/operations/${ids.scheduled}`, '.reason'],
  ])('is told on %s, which keeps what it has, and comes back by itself', async (_, path, kept) => {
    const seen = await visit(browser, dashboard.url);
    const { page } = seen;
    await seen.open(path());
    await page.locator(kept).first().waitFor();
    const before = await page.locator(kept).count();
    await dashboard.kill();
    await page.getByText('The service does not answer.').first().waitFor();
    expect(await page.locator(kept).count()).toBe(before);
    await dashboard.start();
    await expect.poll(() => page.getByText('The service does not answer.').count(), { timeout: 20_000 }).toBe(0);
    expect(await page.locator(kept).count()).toBe(before);
    if (path() === '/') await page.getByText('Live', { exact: true }).waitFor();
    await seen.close();
  });
});

describe('one operation', () => {
  it('shows a value that looks like HTML as text', async () => {
    const seen = await visit(browser, dashboard.url);
    for (const path of [`/operations/${ids.script}`, '/operations?source=web&target=visits']) {
      await seen.open(path);
      await seen.page.getByText('<script>document.title').first().waitFor();
      expect(await seen.page.locator('img').count()).toBe(0);
      expect(await seen.page.title()).toMatch(/ · Batch Service$/);
    }
    await seen.open(`/operations/${ids.script}`);
    expect(JSON.parse(await seen.page.getByLabel('Values').innerText())).toEqual({ id: 1, page: SCRIPT });
    expect(seen.faults).toEqual([]);
    await seen.close();
  });

  it('shows a number with all of its digits', async () => {
    const id = makeId();
    const body = `{"id":"${id}","operationType":"update","target":"orders","key":{"id":2},"values":{"total":12345678901234567890.10}}`;
    await fetch(`${dashboard.url}/api/v1/operations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    const seen = await visit(browser, dashboard.url);
    await seen.open(`/operations/${id}`);
    expect(await seen.page.getByLabel('Values').innerText()).toContain('12345678901234567890.10');
    await seen.close();
  });

  it('is retried', async () => {
    await dashboard.database.client.query(`insert into customers values (99, 'the parent')`);
    const seen = await visit(browser, dashboard.url);
    await seen.open(`/operations/${ids.orphan}`);
    await button(seen.page, 'Retry').click();
    await seen.page.getByText('The operation is pending again.').waitFor();
    await seen.page.locator('.facts .badge', { hasText: 'completed' }).waitFor();
    expect((await operation(ids.orphan)).status).toBe('completed');
    await seen.page.getByText('What was done to it').first().waitFor();
    await seen.close();
  });

  it('is cancelled, and retried, in its row of the list', async () => {
    const id = makeId();
    const runAt = new Date(Date.now() + 3_600_000).toISOString();
    const body = { operationType: 'delete', target: 'visits', key: { id: 8000 }, source: 'one-row', runAt };
    await dashboard.api('POST', 'operations', { id, ...body });
    const seen = await visit(browser, dashboard.url);
    const row = seen.page.locator('tbody tr');
    await seen.open('/operations?source=one-row');
    await row.getByRole('button', { name: 'Cancel' }).click();
    await inDialog(seen.page, 'Cancel').click();
    await row.locator('.badge', { hasText: 'cancelled' }).waitFor();
    expect((await operation(id)).status).toBe('cancelled');
    await row.getByRole('button', { name: 'Retry' }).click();
    await seen.page.getByText('The operation is pending again.').waitFor();
    expect((await operation(id)).status).not.toBe('cancelled');
    expect(await row.count()).toBe(1);
    expect(seen.faults).toEqual([]);
    await seen.close();
  });

  it('is cancelled by keyboard only, and not when the question is closed', async () => {
    const seen = await visit(browser, dashboard.url);
    const { page } = seen;
    await seen.open('/operations?status=scheduled');
    await tabTo(page, `a[href$="${ids.scheduled}"]`);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Operation' }).waitFor();
    await button(page, 'Cancel').waitFor();
    await tabTo(page, '.page-head .button.danger');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Escape');
    await expect.poll(() => page.getByRole('dialog').count()).toBe(0);
    expect((await operation(ids.scheduled)).status).toBe('scheduled');
    const focused = page.locator('.page-head .button.danger:focus');
    await focused.waitFor();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    await tabTo(page, 'dialog .button.danger');
    await page.keyboard.press('Enter');
    await page.getByText('The operation is cancelled.').waitFor();
    expect((await operation(ids.scheduled)).status).toBe('cancelled');
    expect(seen.faults).toEqual([]);
    await seen.close();
  });

  it('is found by its id, in a narrow window by the menu', async () => {
    const seen = await visit(browser, dashboard.url, { viewport: NARROW });
    const { page } = seen;
    await seen.open('/');
    const link = page.getByRole('link', { name: 'Operations', exact: true });
    expect(await link.isVisible()).toBe(false);
    await button(page, 'Menu').click();
    await link.click();
    await page.getByRole('heading', { name: 'Operations' }).waitFor();
    // The menu is closed again.
    await expect.poll(() => link.isVisible()).toBe(false);
    await page.getByRole('textbox', { name: 'Id' }).fill(` ${ids.duplicate} `);
    await button(page, 'Open').click();
    await page.getByText('Why it failed').waitFor();
    expect(new URL(page.url()).pathname).toBe(`/ui/operations/${ids.duplicate}`);
    expect(seen.faults).toEqual([]);
    await seen.close();
  });

  it('that does not exist is a problem with its code', async () => {
    const seen = await visit(browser, dashboard.url);
    await seen.open(`/operations/${makeId()}`);
    await seen.page.getByText('OPERATION_NOT_FOUND').waitFor();
    await seen.close();
  });
});

describe('a list', () => {
  it('has its filters in the address, and the address makes the list', async () => {
    const seen = await visit(browser, dashboard.url);
    await seen.open('/operations');
    await seen.page.getByLabel('Status').selectOption('failed');
    await expect.poll(() => new URL(seen.page.url()).search).toBe('?status=failed');
    await settled(seen.page);
    await expect
      .poll(async () => new Set(await seen.page.locator('tbody .badge').allInnerTexts()))
      .toEqual(new Set(['failed']));
    const other = await visit(browser, dashboard.url);
    await other.open('/operations?status=failed');
    expect(await other.page.getByLabel('Status').inputValue()).toBe('failed');
    await seen.page.goBack();
    await expect.poll(() => seen.page.getByLabel('Status').inputValue()).toBe('');
    await seen.close();
    await other.close();
  });

  it('that is empty says so', async () => {
    const seen = await visit(browser, dashboard.url);
    await seen.open('/operations?source=nobody');
    await seen.page.getByText('Nothing matches the filter.').waitFor();
    await seen.close();
  });
});

describe('a lane', () => {
  it('is paused, shown as paused on the overview, and goes on', async () => {
    const seen = await visit(browser, dashboard.url);
    await seen.open('/lanes?target=visits');
    await button(seen.page, 'Pause').click();
    await seen.page.getByRole('dialog').getByRole('button', { name: 'Pause' }).click();
    await seen.page.getByText(/Lane \d+ is paused\./).waitFor();
    await seen.open('/');
    await seen.page.locator('.badge', { hasText: 'paused' }).waitFor();
    await button(seen.page, 'Unpause').click();
    await seen.page.getByText('Every lane goes on.').waitFor();
    expect(await dashboard.api('GET', 'pauses')).toEqual([]);
    expect(seen.faults).toEqual([]);
    await seen.close();
  });
});

describe('a lane that open transactions keep closed', () => {
  it('is shown with its tables and the sessions for which it waits, and goes on', async () => {
    const { client, connection } = dashboard.database;
    await client.query('create table places (id int primary key); create table trips (id int primary key)');
    for (const target of ['places', 'trips']) {
      await dashboard.api('POST', 'operations', { operationType: 'insert', target, values: { id: 1 } });
    }
    const lanesOf = 'select target, lane from batch.lanes where target = any($1) order by lane desc';
    const targets = ['public.places', 'public.trips'];
    const { rows } = await client.query<{ target: string; lane: number }>(lanesOf, [targets]);
    expect(rows).toHaveLength(2);
    const moved = rows[0]!.target.slice('public.'.length);
    const shop = new pg.Client({ ...clientOptions(connection), application_name: 'nightly-shop' });
    await shop.connect();
    const seen = await visit(browser, dashboard.url);
    try {
      await shop.query('begin');
      await shop.query('select batch.create_operation($1)', [
        { operationType: 'insert', target: moved, values: { id: 2 } },
      ]);
      await client.query('alter table trips add foreign key (id) references places not valid');
      await dashboard.api('POST', 'operations', { operationType: 'delete', target: 'trips', key: { id: 9 } });
      await seen.open('/lanes?show=standing&target=trips');
      const row = seen.page.getByRole('table', { name: 'Lanes' }).locator('tbody tr');
      await row.locator('.badge', { hasText: 'closed' }).waitFor();
      await row.getByText(new RegExp(`have created operations for ${moved} in SQL`)).waitFor();
      await row.getByText(/of nightly-shop/).waitFor();
      expect(await accessibilityFaults(seen.page)).toEqual([]);
    } finally {
      await shop.end();
    }
    await seen.page.getByText('No lane is like that.').waitFor({ timeout: 20_000 });
    expect(seen.faults).toEqual([]);
    await seen.close();
  });
});

describe('failures', () => {
  it('are groups, from which a click leads to their operations', async () => {
    const seen = await visit(browser, dashboard.url);
    await seen.open('/');
    await seen.page.getByRole('link', { name: 'UNIQUE_VIOLATION' }).click();
    await seen.page.getByRole('heading', { name: 'Failures' }).waitFor();
    await seen.page.locator('tbody').getByText('customers_pkey', { exact: true }).waitFor();
    await seen.page.locator('tbody').getByRole('link', { name: 'UNIQUE_VIOLATION' }).click();
    await seen.page.locator(`tbody a[href$="${ids.duplicate}"]`).waitFor();
    expect(seen.faults).toEqual([]);
    await seen.close();
  });
});

describe('many operations', () => {
  it('of a filter are cancelled after their number was shown, with progress', async () => {
    const runAt = new Date(Date.now() + 3_600_000).toISOString();
    const operations = Array.from({ length: 40 }, (_, id) => ({
      ...{ operationType: 'delete', target: 'visits', key: { id: 9000 + id }, source: 'night', runAt },
    }));
    await dashboard.api('POST', 'operations/bulk', { operations });
    const seen = await visit(browser, dashboard.url);
    await seen.open('/operations');
    // Without a filter it would concern everything.
    expect(await button(seen.page, 'Cancel all of these').getAttribute('aria-disabled')).toBe('true');
    await seen.open('/operations?source=night');
    await button(seen.page, 'Cancel all of these').click();
    await seen.page.getByText('40 operations match.').waitFor();
    expect(await accessibilityFaultsInBoth(seen.page)).toEqual([]);
    await seen.page.getByRole('button', { name: 'Cancel 40' }).click();
    await seen.page.getByRole('heading', { name: 'Bulk action' }).waitFor();
    await seen.page.getByText('40 of 40 operations').waitFor();
    await seen.page.locator('.facts .badge', { hasText: 'completed' }).waitFor();
    await seen.page.getByRole('link', { name: 'The operations of this filter now' }).click();
    await expect
      .poll(async () => new Set(await seen.page.locator('tbody .badge').allInnerTexts()))
      .toEqual(new Set(['cancelled']));
    expect(seen.faults).toEqual([]);
    await seen.close();
  });

  it('of a group of failures are retried in three clicks from the overview', async () => {
    await dashboard.database.client.query(
      'delete from customers where id = 1 and not exists (select from orders where customer_id = 1)',
    );
    const seen = await visit(browser, dashboard.url);
    await seen.open('/');
    await seen.page.getByRole('link', { name: 'UNIQUE_VIOLATION' }).click();
    await button(seen.page, 'Retry all').click();
    await seen.page.getByText('1 operation matches.').waitFor();
    await seen.page.getByRole('button', { name: 'Retry 1' }).click();
    await seen.page.getByText('1 of 1 operation').first().waitFor();
    await expect.poll(async () => (await operation(ids.duplicate)).audit?.map(({ act }) => act)).toContain('retry');
    await seen.close();
  });

  it('that are settled are erased, and say so', async () => {
    const seen = await visit(browser, dashboard.url);
    await seen.open('/operations?source=web&status=completed');
    await button(seen.page, 'Erase all of these').click();
    await seen.page.getByRole('button', { name: /^Erase \d+$/ }).click();
    await seen.page.locator('.facts .badge', { hasText: 'completed' }).waitFor();
    await seen.open(`/operations/${ids.script}`);
    await seen.page.getByText('The key and the values were erased').waitFor();
    expect(seen.faults).toEqual([]);
    await seen.close();
  });
});

describe('a worker', () => {
  it('is shown with its chunks', async () => {
    const seen = await visit(browser, dashboard.url);
    await seen.open('/');
    await seen.page.locator('.badge', { hasText: 'alive' }).waitFor();
    await seen.page.getByRole('row', { name: /alive/ }).last().getByRole('link', { name: 'Its chunks' }).click();
    await expect.poll(() => seen.page.locator('tbody tr').count()).toBeGreaterThan(0);
    await seen.close();
  });
});

describe('a job', () => {
  it('starts with a form of its declared parameters, and shows its steps, skips and contexts', async () => {
    const seen = await visit(browser, dashboard.url);
    await seen.open('/jobs/importOrders');
    await button(seen.page, 'Start…').click();
    await seen.page.getByRole('dialog').getByRole('button', { name: 'Start', exact: true }).click();
    await seen.page.getByText('Parameter "file"').waitFor();
    await seen.page.getByRole('dialog').getByRole('textbox').fill(`${jobs.folder}/orders.csv`);
    await seen.page.getByRole('dialog').getByRole('button', { name: 'Start', exact: true }).click();
    // The same file is the same instance, which is complete.
    await seen.page.getByText('JOB_INSTANCE_ALREADY_COMPLETE').waitFor();
    await seen.page.keyboard.press('Escape');
    await seen.open(`/executions/${jobs.completed}`);
    await seen.page.getByRole('progressbar', { name: 'Progress of step load' }).waitFor();
    await seen.page.getByText('DatabaseError: invalid input syntax').first().waitFor();
    await seen.page.getByText('example_orders_amount_check').first().waitFor();
    expect(seen.faults).toEqual([]);
    await seen.close();
  });
});

/** Presses Tab until the element has the focus. */
async function tabTo(page: Page, selector: string): Promise<void> {
  for (let presses = 0; presses < 200; presses++) {
    if (await page.evaluate<boolean>(`document.activeElement?.matches(${JSON.stringify(selector)}) ?? false`)) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`${selector} is not reached by the keyboard`);
}

// Here, since a stop waits for the step that runs, and gives up after BATCH_LOCK_TIMEOUT.
describe('a bulk action that runs', () => {
  it('has a bar of how far it is, says what it waits for, and stops', async () => {
    const runAt = new Date(Date.now() + 3_600_000).toISOString();
    const operations = Array.from({ length: 40 }, (_, id) => ({
      ...{ operationType: 'delete', target: 'visits', key: { id: 10_000 + id }, source: 'stock-taking', runAt },
    }));
    await dashboard.api('POST', 'operations/bulk', { operations });
    const holder = new pg.Client(clientOptions(dashboard.database.connection));
    await holder.connect();
    const seen = await visit(browser, dashboard.url);
    const { page } = seen;
    try {
      // One of the operations cannot be changed yet.
      await holder.query(
        `begin; select from batch.delayed where seq = (select max(seq) from batch.delayed) for update`,
      );
      await seen.open('/operations?source=stock-taking');
      await button(page, 'Cancel all of these').click();
      await page.getByRole('button', { name: 'Cancel 40' }).click();
      await page.getByText('39 of 40 operations').waitFor();
      const bar = page.getByRole('progressbar', { name: 'Progress of the bulk action' });
      expect(Number(await bar.getAttribute('value'))).toBeCloseTo(39 / 40);
      await page.locator('.facts .badge', { hasText: 'running' }).waitFor();
      expect(await accessibilityFaults(page)).toEqual([]);
      await page.getByRole('link', { name: 'Bulk actions' }).click();
      await page
        .getByRole('row', { name: /cancel.*running.*39 of 40/ })
        .locator('td a')
        .first()
        .click();
      await button(page, 'Stop').click();
      await inDialog(page, 'Stop').click();
      await page.getByText('The bulk action stops.').waitFor();
    } finally {
      await holder.query('rollback');
      await holder.end();
    }
    await page.locator('.facts .badge', { hasText: 'stopped' }).waitFor({ timeout: 20_000 });
    expect(await button(page, 'Stop').count()).toBe(0);
    const { items } = await dashboard.api<IPage<IBatchOperation>>(
      'GET',
      'operations?source=stock-taking&status=scheduled',
    );
    expect(items.length).toBe(1);
    expect(seen.faults).toEqual([]);
    await seen.close();
  });
});
