import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { IBatchOperation } from '../../src/interfaces/operation.js';
import { accessibilityFaults, launchBrowser, NARROW, overflow, visit, WIDE } from './support/browser.js';
import { startDashboard, type Dashboard } from './support/dashboard.js';
import { fillShop, runJobs, SHOP_TABLES, type ShopIds } from './support/shop.js';

let dashboard: Dashboard;
let browser: Browser;
let ids: ShopIds;
let jobs: Awaited<ReturnType<typeof runJobs>>;
let chunkId: string;

beforeAll(async () => {
  dashboard = await startDashboard({ BATCH_EXAMPLE_JOBS: 'true' }, { schema: SHOP_TABLES });
  browser = await launchBrowser();
  ids = await fillShop(dashboard);
  jobs = await runJobs(dashboard);
  chunkId = (await dashboard.api<IBatchOperation>('GET', `operations/${ids.duplicate}`)).chunkId!;
});
afterAll(async () => {
  await browser?.close();
  await dashboard?.close();
  await jobs?.remove();
});

/** Every page, and a text that shows that it has its content. */
const pages = (): [name: string, path: string, shows: string][] => [
  ['the overview', '/', 'Everything runs'],
  ['operations', '/operations', 'Ada again'],
  ['an operation that failed', `/operations/${ids.duplicate}`, 'Why it failed'],
  ['an operation that waits', `/operations/${ids.scheduled}`, 'Waits'],
  ['failures', '/failures', 'customers_pkey'],
  ['lanes', '/lanes', 'customers'],
  ['chunks', '/chunks', 'isolated'],
  ['a chunk', `/chunks/${chunkId}`, 'insert customers'],
  ['a group of a chunk', `/chunks/${chunkId}?group=0`, 'Combined on its row'],
  ['jobs', '/jobs', 'importOrders'],
  ['a job', '/jobs/importOrders', 'file'],
  ['an execution', `/executions/${jobs.completed}`, 'Skipped items'],
  ['dead letters', '/dead-letters', 'Parked messages'],
  ['bulk actions', '/bulk-actions', 'Retries, cancellations and erasures'],
  ['alerts', '/alerts', 'Firing'],
  ['an address without a page', '/nowhere', 'no page at this address'],
];

describe('every page', () => {
  it('has its content, in light and dark colours and a wide and a narrow window no fault of accessibility and no scroll to the side, and asks no other host', async () => {
    // Colours that are just changing are none of the two.
    const seen = await visit(browser, dashboard.url, { reducedMotion: 'reduce' });
    const { page } = seen;
    for (const [name, path, shows] of pages()) {
      await seen.open(path);
      await page.getByText(shows).first().waitFor({ state: 'attached' });
      for (const viewport of [WIDE, NARROW]) {
        await page.setViewportSize(viewport);
        for (const colorScheme of ['light', 'dark'] as const) {
          await page.emulateMedia({ colorScheme });
          expect.soft(await accessibilityFaults(page), `${name}, ${colorScheme}, ${viewport.width} px`).toEqual([]);
        }
        expect.soft(await overflow(page), `${name}, ${viewport.width} px`).toBeLessThanOrEqual(0);
      }
      const problems = await page.locator('.note.bad[role=alert]').allInnerTexts();
      expect.soft(problems, name).toEqual([]);
    }
    expect(seen.faults).toEqual([]);
    await seen.close();
  }, 240_000);
});

describe('a service that answers with errors', () => {
  const API = '**/api/v1/**';
  const PROBLEM = {
    ...{ type: 'about:blank', title: 'Internal error', status: 500, detail: 'Something has failed' },
    ...{ code: 'INTERNAL_ERROR', requestId: 'request-17' },
  };

  it('is told on every page, which shows its content when it is tried again', async () => {
    const seen = await visit(browser, dashboard.url);
    const { page } = seen;
    const alerts = page.getByRole('alert');
    const again = alerts.getByRole('button', { name: 'Try again' });
    for (const [name, path, shows] of pages().filter(([, address]) => address !== '/nowhere')) {
      await page.route(API, (route) =>
        route.fulfill({ status: 500, contentType: 'application/problem+json', body: JSON.stringify(PROBLEM) }),
      );
      await seen.open(path);
      for (const text of ['Internal error.', 'Something has failed', 'INTERNAL_ERROR', 'request-17'])
        await alerts.getByText(text).first().waitFor();
      expect.soft(await page.getByText('Everything runs').count(), name).toBe(0);
      expect.soft(await page.locator('h1').innerText(), name).not.toBe('');
      expect.soft(await accessibilityFaults(page), name).toEqual([]);
      await page.unroute(API);
      await again.first().click();
      await page.getByText(shows).first().waitFor({ state: 'attached' });
      await again.evaluateAll((buttons: { click(): void }[]) => buttons.forEach((each) => each.click()));
      await expect.poll(() => alerts.count(), { timeout: 20_000 }).toBe(0);
    }
    expect(seen.faults).toEqual([]);
    await seen.close();
  }, 240_000);

  it('is told also where a proxy answers instead, and what it told last stays', async () => {
    const seen = await visit(browser, dashboard.url);
    const { page } = seen;
    await seen.open('/lanes');
    const rows = page.getByRole('table', { name: 'Lanes' }).locator('tbody tr');
    const before = await rows.count();
    expect(before).toBeGreaterThan(0);
    await page.route(API, (route) =>
      route.fulfill({ status: 503, contentType: 'text/html', body: '<h1>No server</h1>' }),
    );
    await page.getByRole('alert').getByText('The answer was 503 Service Unavailable').first().waitFor();
    expect(await rows.count()).toBe(before);
    expect(seen.faults).toEqual([]);
    await seen.close();
  });
});

describe('the colours', () => {
  it('are those that the system asks for, also when it changes its mind', async () => {
    const seen = await visit(browser, dashboard.url, { colorScheme: 'dark' });
    await seen.open('/');
    /** From 0, black, to 255. */
    const brightness = (): Promise<number> =>
      seen.page.evaluate<number>(
        `getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).reduce((sum, each) => sum + Number(each) / 3, 0)`,
      );
    expect(await brightness()).toBeLessThan(60);
    await seen.page.emulateMedia({ colorScheme: 'light' });
    expect(await brightness()).toBeGreaterThan(200);
    await seen.close();
  });
});
