import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { IBatchOperation } from '../../src/interfaces/operation.js';
import { accessibilityFaults, launchBrowser, NARROW, overflow, visit } from './support/browser.js';
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
  it.each([
    ['light', 'wide'],
    ['dark', 'wide'],
    ['light', 'narrow'],
    ['dark', 'narrow'],
  ] as const)(
    'in %s colours and a %s window has its content, no fault of accessibility, no scroll to the side, and asks no other host',
    async (colorScheme, width) => {
      const seen = await visit(browser, dashboard.url, {
        colorScheme,
        ...(width === 'narrow' && { viewport: NARROW }),
      });
      for (const [name, path, shows] of pages()) {
        await seen.open(path);
        await seen.page.getByText(shows).first().waitFor({ state: 'attached' });
        expect.soft(await accessibilityFaults(seen.page), name).toEqual([]);
        expect.soft(await overflow(seen.page), name).toBeLessThanOrEqual(0);
        const problems = await seen.page.locator('.note.bad[role=alert]').allInnerTexts();
        expect.soft(problems, name).toEqual([]);
      }
      expect(seen.faults).toEqual([]);
      await seen.close();
    },
    240_000,
  );
});
