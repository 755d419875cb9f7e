import pg from 'pg';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeId } from '../../src/client/make-id.js';
import type { IBatchOperation } from '../../src/interfaces/operation.js';
import type { IStatsHistory } from '../../src/interfaces/stats.js';
import { EVENTS_EXCHANGE, settledRoutingKey } from '../../src/interfaces/settled-event.js';
import { connectAmqpCaller, type AmqpCaller } from '../support/amqp.js';
import { clientOptions } from '../support/test-databases.js';
import { testSettings } from '../support/test-settings.js';
import { uniqueName } from '../support/unique-name.js';
import { accessibilityFaults, launchBrowser, NARROW, overflow, visit, WIDE } from './support/browser.js';
import { startDashboard, type Dashboard } from './support/dashboard.js';
import { fillShop, runJobs, SHOP_TABLES, type ShopIds } from './support/shop.js';

/** The service records what happened every ten seconds. */
const RECORDED = { timeout: 40_000 };

let dashboard: Dashboard;
let browser: Browser;
let broker: AmqpCaller;
let ids: ShopIds;
let jobs: Awaited<ReturnType<typeof runJobs>>;

beforeAll(async () => {
  // A chunk gives a lock up after BATCH_LOCK_TIMEOUT. Here it must wait for as long as a page is looked at.
  const settings = { BATCH_EXAMPLE_JOBS: 'true', BATCH_LOCK_TIMEOUT: '600000' };
  dashboard = await startDashboard(settings, { schema: SHOP_TABLES });
  browser = await launchBrowser();
  // Somebody hears the notifications of this source, so they are announced.
  broker = await connectAmqpCaller(testSettings().rabbitmq!.url, uniqueName('queue'));
  const { queue } = await broker.channel.assertQueue('', { exclusive: true });
  await broker.channel.bindQueue(queue, EVENTS_EXCHANGE, settledRoutingKey('shop'));
  ids = await fillShop(dashboard);
  jobs = await runJobs(dashboard);
});
afterAll(async () => {
  await browser?.close();
  await broker?.close();
  await dashboard?.close();
  await jobs?.remove();
});

const operation = (id: string): Promise<IBatchOperation> => dashboard.api('GET', `operations/${id}`);

describe('the overview', () => {
  it('has every number of the queue, with its value', async () => {
    const seen = await visit(browser, dashboard.url);
    await seen.open('/');
    await expect
      .poll(async () => {
        const tiles = seen.page.locator('.tile');
        const entries = await tiles.evaluateAll((all: { querySelector(of: string): { textContent: string } }[]) =>
          all.map((tile) => [tile.querySelector('dt').textContent, tile.querySelector('dd').textContent]),
        );
        return Object.fromEntries(entries) as Record<string, string>;
      }, RECORDED)
      .toEqual({
        Pending: '0',
        Scheduled: '1',
        'Oldest waits': '0 ms',
        In: expect.stringMatching(/^[\d.]+\/saccepted$/) as string,
        Out: expect.stringMatching(/^[\d.]+\/sthe last minute$/) as string,
        Failures: expect.stringMatching(/^\d+\/min2 kept$/) as string,
        'A chunk takes': expect.stringMatching(/^(–|[\d.]+ m?s)p99 (–|[\d.]+ m?s) · \d+ chunks?\/min$/) as string,
        Workers: '1',
        'Lanes standing still': '0',
      });
    await seen.close();
  });

  it('has a plot of each number of the last hour, with the values in a table beside it', async () => {
    await expect
      .poll(async () => {
        const { points } = await dashboard.api<IStatsHistory>('GET', 'stats/history');
        return Object.assign({}, ...points.map(({ failedByCode }) => failedByCode)) as object;
      }, RECORDED)
      .toEqual({ UNIQUE_VIOLATION: 1, MISSING_PARENT: 1 });
    const seen = await visit(browser, dashboard.url);
    const { page } = seen;
    await seen.open('/');
    const plots: [title: string, lines: string[]][] = [
      ['Operations per second', ['failed', 'in', 'out']],
      ['Failures per minute, by code', ['MISSING_PARENT', 'UNIQUE_VIOLATION']],
      ['Pending', ['pending']],
      ['Age of the oldest', ['oldest']],
      ['Time of a chunk', ['p50', 'p99']],
    ];
    expect(await page.locator('.plot-title').allInnerTexts()).toEqual(plots.map(([title]) => title));
    for (const [title, lines] of plots) {
      const plot = page.locator('.plot', { has: page.locator(`.plot-title:text-is("${title}")`) });
      await plot.locator('canvas').waitFor();
      await plot.getByText('As a table').click();
      const table = plot.getByRole('table', { name: `${title}, the last values` });
      const names = (await table.locator('th').allInnerTexts()).slice(1);
      expect(names.sort(), title).toEqual(lines);
      expect(await table.locator('tbody tr').count(), title).toBeGreaterThan(0);
    }
    // One in an interval of ten seconds is six in a minute.
    const codes = page.getByRole('table', { name: /^Failures per minute/ });
    await expect.poll(() => codes.locator('td').allInnerTexts()).toContain('6');
    expect(await accessibilityFaults(page)).toEqual([]);
    expect(seen.faults).toEqual([]);
    await seen.close();
  });
});

describe('a list', () => {
  it.each<[path: string, table: string, columns: string[]]>([
    [
      '/operations',
      'Operations, newest first',
      ['Operation', 'Status', 'Type', 'Table', 'Row', 'Error', 'Attempts', 'Source', 'Chunk', 'Accepted', 'Actions'],
    ],
    [
      '/chunks',
      'Chunks, newest first',
      ['Chunk', 'Operations', 'Failed', 'Groups', 'Statements', 'Isolation', 'Time', 'Worker', 'Settled'],
    ],
    ['/lanes', 'Lanes', ['Lane', 'State', 'Tables', 'Waiting', 'Head', 'Why', 'Actions']],
    [
      '/failures',
      'Failures by code, constraint and table',
      ['Code', 'Table', 'Operations', 'First', 'Last', 'One of them', 'Actions'],
    ],
    ['/jobs', 'Jobs', ['Job', 'What it does', 'Last execution', 'Actions']],
  ])('%s shows in the table "%s" %j', async (path, name, columns) => {
    const seen = await visit(browser, dashboard.url);
    await seen.open(path);
    const table = seen.page.getByRole('table', { name, exact: true });
    expect(await table.locator('thead th').allInnerTexts()).toEqual(columns);
    expect(await table.locator('tbody tr').count()).toBeGreaterThan(0);
    await seen.close();
  });

  it('of operations has the request, its outcome, its chunk and its attempts', async () => {
    const { chunkId, attempts } = await operation(ids.duplicate);
    const seen = await visit(browser, dashboard.url);
    await seen.open('/operations?status=failed&target=customers');
    const row = seen.page.locator('tbody tr', { has: seen.page.locator(`a[href$="${ids.duplicate}"]`) });
    const cell = (name: string): Promise<string> => row.locator(`td[data-name="${name}"]`).innerText();
    expect(await cell('Row')).toBe('{"id":1,"name":"Ada again"}');
    expect([await cell('Type'), await cell('Table'), await cell('Source')]).toEqual(['insert', 'customers', 'shop']);
    expect([await cell('Status'), await cell('Error')]).toEqual(['failed', 'UNIQUE_VIOLATION']);
    expect([await cell('Chunk'), await cell('Attempts')]).toEqual([chunkId, String(attempts)]);
    await seen.close();
  });
});

describe('one operation', () => {
  it('has its life as a line, its SQLSTATE, constraint and message, and the row as it was asked', async () => {
    const { chunkId, error } = await operation(ids.duplicate);
    const seen = await visit(browser, dashboard.url);
    const { page } = seen;
    await seen.open(`/operations/${ids.duplicate}`);
    const stages = page.locator('.life li');
    await expect
      .poll(() => stages.locator('b').allInnerTexts())
      .toEqual(['Accepted', 'Waited', 'Claimed', 'Grouped', 'Failed', 'Announced']);
    const text = async (index: number): Promise<string> => stages.nth(index).locator('p').innerText();
    expect(await text(2)).toContain(`by chunk ${chunkId}`);
    expect(await text(3)).toMatch(/in group \d+( with \d+ other operations?, in one statement|, alone)/);
    expect(await text(4)).toContain('UNIQUE_VIOLATION');
    expect(await text(5)).toContain('to shop');
    await page.locator('.note.bad').getByText(error!.message).waitFor();
    const fact = (name: string): Promise<string> =>
      page
        .locator('.facts div', { has: page.locator(`dt:text-is("${name}")`) })
        .locator('dd')
        .innerText();
    expect([await fact('SQLSTATE'), await fact('Constraint')]).toEqual(['23505', 'customers_pkey']);
    expect(JSON.parse(await page.getByLabel('Values').innerText())).toEqual({ id: 1, name: 'Ada again' });
    expect(seen.faults).toEqual([]);
    await seen.close();
  });

  it('that waits for a lock says so in words, without a fault of accessibility in any colours and width', async () => {
    const holder = new pg.Client({ ...clientOptions(dashboard.database.connection), application_name: 'reporting' });
    await holder.connect();
    const seen = await visit(browser, dashboard.url, { reducedMotion: 'reduce' });
    const { page } = seen;
    try {
      await holder.query('begin; lock table stock in share mode');
      const id = makeId();
      const before = makeId();
      for (const each of [before, id]) {
        const change = { operationType: 'update', target: 'stock', key: { sku: 'A-17' }, values: { quantity: 2 } };
        await dashboard.api('POST', 'operations', { ...change, id: each });
      }
      await seen.open(`/operations/${id}`);
      const reason = page.locator('.reason');
      await reason.getByText(/has waited for a lock on public\.stock/).waitFor();
      await reason.getByText('of reporting').waitFor();
      await reason.getByText('1 operation of the lane comes before it.').waitFor();
      await reason.locator(`a[href$="${before}"]`).waitFor();
      for (const viewport of [WIDE, NARROW]) {
        await page.setViewportSize(viewport);
        for (const colorScheme of ['light', 'dark'] as const) {
          await page.emulateMedia({ colorScheme });
          expect.soft(await accessibilityFaults(page), `${colorScheme}, ${viewport.width} px`).toEqual([]);
        }
        expect.soft(await overflow(page), `${viewport.width} px`).toBeLessThanOrEqual(0);
      }
      await page.setViewportSize(WIDE);
      // What stands still, on the overview and on the page of the lanes.
      for (const path of ['/', '/lanes']) {
        await seen.open(path);
        await page.getByText('Its chunk waits for a lock.').first().waitFor();
        for (const colorScheme of ['light', 'dark'] as const) {
          await page.emulateMedia({ colorScheme });
          expect.soft(await accessibilityFaults(page), `${path}, ${colorScheme}`).toEqual([]);
        }
      }
    } finally {
      await holder.query('rollback');
      await holder.end();
    }
    expect(seen.faults).toEqual([]);
    await seen.close();
  });
});

describe('the keyboard', () => {
  /** What a mouse can use, as far as it is shown. Parts of a closed `details` are not. */
  const USABLE = 'a[href], button, input, select, textarea, summary, [tabindex="0"]';

  /** Presses Tab until the focus comes round, and answers which usable elements it did not reach or not show. */
  async function unreached(page: Page): Promise<string[]> {
    await page.evaluate(`{
      document.activeElement?.blur();
      window.usable = [...document.querySelectorAll(${JSON.stringify(USABLE)})].filter((each) => each.checkVisibility() && !each.disabled);
      window.reached = new Set();
      window.unmarked = new Set();
    }`);
    const most = (await page.evaluate<number>('window.usable.length')) + 20;
    for (let presses = 0; presses < most; presses += 1) {
      await page.keyboard.press('Tab');
      await page.evaluate(`{
        const at = document.activeElement;
        const { outlineStyle, outlineWidth } = getComputedStyle(at);
        if (at !== document.body && (outlineStyle === 'none' || outlineWidth === '0px')) window.unmarked.add(at);
        window.reached.add(at);
      }`);
    }
    return page.evaluate<string[]>(`
      [...window.usable.filter((each) => document.contains(each) && !window.reached.has(each)), ...window.unmarked]
        .map((each) => each.outerHTML.slice(0, 120))`);
  }

  it('reaches everything that a mouse reaches, on every page, and shows where it is', async () => {
    const { chunkId } = await operation(ids.duplicate);
    const seen = await visit(browser, dashboard.url, { reducedMotion: 'reduce' });
    const paths = [
      ...['/', '/operations', `/operations/${ids.duplicate}`, '/failures', '/lanes', '/chunks', `/chunks/${chunkId}`],
      ...['/jobs', '/jobs/importOrders', `/executions/${jobs.completed}`],
      ...['/dead-letters', '/bulk-actions', '/alerts'],
    ];
    for (const path of paths) {
      await seen.open(path);
      expect.soft(await unreached(seen.page), path).toEqual([]);
    }
    await seen.close();
  }, 120_000);

  it('pauses a lane and starts a job', async () => {
    const seen = await visit(browser, dashboard.url);
    const { page } = seen;
    const lanes = page.getByRole('table', { name: 'Lanes', exact: true });
    await seen.open('/lanes?target=visits');
    await lanes.getByRole('button', { name: 'Pause', exact: true }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    // The focus is in the dialog, and does not leave it.
    for (let presses = 0; presses < 6; presses += 1) {
      const inside = await page.evaluate<boolean>(
        `document.activeElement === document.body || document.activeElement.closest('dialog') !== null`,
      );
      expect(inside).toBe(true);
      await page.keyboard.press('Tab');
    }
    await page.getByRole('dialog').getByRole('button', { name: 'Pause', exact: true }).focus();
    await page.keyboard.press('Enter');
    await page.getByText(/Lane \d+ is paused\./).waitFor();
    await lanes.getByRole('button', { name: 'Unpause', exact: true }).focus();
    await page.keyboard.press('Enter');
    await page.getByText(/Lane \d+ goes on\./).waitFor();

    await seen.open('/jobs/importOrders');
    await page.getByRole('button', { name: 'Start…' }).focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').getByRole('textbox').first().focus();
    await page.keyboard.type(`${jobs.folder}/orders.csv`);
    await page.keyboard.press('Enter');
    await page.getByText('JOB_INSTANCE_ALREADY_COMPLETE').waitFor();
    await page.keyboard.press('Escape');
    await expect.poll(() => page.getByRole('dialog').count()).toBe(0);
    expect(seen.faults).toEqual([]);
    await seen.close();
  });
});
