import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { IBatchOperation } from '../../src/interfaces/operation.js';
import { parseApiKey } from '../../src/services/access/api-key.js';
import { createTestKey, KEYS_REQUIRED } from '../support/api-keys.js';
import {
  accessibilityFaults,
  launchBrowser,
  NARROW,
  overflow,
  settled,
  visit,
  WIDE,
  type Visit,
} from './support/browser.js';
import { startDashboard, type Dashboard } from './support/dashboard.js';
import { fillShop, SHOP_TABLES, type ShopIds } from './support/shop.js';

let dashboard: Dashboard;
let browser: Browser;
let ids: ShopIds;
let keys: { admin: string; read: string; revoked: string };

beforeAll(async () => {
  dashboard = await startDashboard({ ...KEYS_REQUIRED }, { schema: SHOP_TABLES });
  browser = await launchBrowser();
  const { client } = dashboard.database;
  keys = {
    admin: await createTestKey(client, ['admin']),
    read: await createTestKey(client, ['read']),
    revoked: await createTestKey(client, ['read'], { state: 'revoked' }),
  };
  ids = await fillShop(dashboard, keys.admin);
});
afterAll(async () => {
  await browser?.close();
  await dashboard?.close();
});

async function give(seen: Visit, key: string): Promise<void> {
  await seen.page.getByLabel('API key', { exact: true }).fill(key);
  await seen.page.getByRole('button', { name: 'Use this key' }).click();
}

describe('where keys are required', () => {
  it('the dashboard asks for one, refuses a wrong one with the reason, and keeps it in the session only', async () => {
    const seen = await visit(browser, dashboard.url);
    await seen.open('/operations?status=failed');
    await seen.page.getByRole('heading', { name: 'API key' }).waitFor();
    await give(seen, keys.revoked);
    await seen.page
      .getByRole('alert')
      .getByText(/The API key \w+ was revoked/)
      .waitFor();
    await give(seen, keys.read);
    await seen.page.getByRole('heading', { name: 'Operations' }).waitFor();
    await seen.page.locator('tbody').getByText('UNIQUE_VIOLATION').first().waitFor();
    expect(seen.page.url()).toBe(`${dashboard.url}/ui/operations?status=failed`);
    expect(await seen.page.evaluate<string>('JSON.stringify({ ...localStorage }) + document.cookie')).toBe('{}');
    await seen.page.reload();
    await settled(seen.page);
    await seen.page.getByRole('heading', { name: 'Operations' }).waitFor();
    const other = await visit(browser, dashboard.url);
    await other.open('/');
    await other.page.getByRole('heading', { name: 'API key' }).waitFor();
    expect(seen.faults).toEqual([]);
    await seen.close();
    await other.close();
  });

  it('a key that is revoked while a page is open is asked for again, and another one goes on where it was', async () => {
    const { client } = dashboard.database;
    const mine = await createTestKey(client, ['read']);
    const seen = await visit(browser, dashboard.url, { reducedMotion: 'reduce' });
    const { page } = seen;
    await seen.open('/operations?status=failed');
    await give(seen, mine);
    await page.locator('tbody').getByText('UNIQUE_VIOLATION').first().waitFor();
    await client.query('update batch.api_keys set revoked_at = now() where id = $1', [parseApiKey(mine)!.id]);
    await page
      .getByRole('alert')
      .getByText(/The API key \w+ was revoked/)
      .waitFor({ timeout: 20_000 });
    expect(await page.locator('tbody').count()).toBe(0);
    for (const viewport of [WIDE, NARROW]) {
      await page.setViewportSize(viewport);
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        expect.soft(await accessibilityFaults(page), `${colorScheme}, ${viewport.width} px`).toEqual([]);
      }
      expect.soft(await overflow(page), `${viewport.width} px`).toBeLessThanOrEqual(0);
    }
    await give(seen, keys.read);
    await page.locator('tbody').getByText('UNIQUE_VIOLATION').first().waitFor();
    expect(page.url()).toBe(`${dashboard.url}/ui/operations?status=failed`);
    expect(seen.faults).toEqual([]);
    await seen.close();
  });

  it('the key is forgotten when its owner says so', async () => {
    const seen = await visit(browser, dashboard.url);
    const { page } = seen;
    await seen.open('/operations');
    await give(seen, keys.read);
    await page.getByText('Key: read').waitFor();
    await page.getByRole('button', { name: 'Forget it' }).click();
    await page.getByRole('heading', { name: 'API key' }).waitFor();
    expect(await page.evaluate<string>('JSON.stringify({ ...sessionStorage })')).toBe('{}');
    await page.reload();
    await page.getByRole('heading', { name: 'API key' }).waitFor();
    await seen.close();
  });

  it('the key is in no copied request', async () => {
    const seen = await visit(browser, dashboard.url, { permissions: ['clipboard-read', 'clipboard-write'] });
    await seen.open(`/operations/${ids.duplicate}`);
    await give(seen, keys.read);
    await seen.page.getByRole('button', { name: 'Copy as curl' }).click();
    const copied = await seen.page.evaluate<string>('navigator.clipboard.readText()');
    expect(copied).toContain('$BATCH_API_KEY');
    expect(copied).not.toContain('bsk_');
    await seen.close();
  });

  it('a key that may only read changes nothing: its buttons say which scope they need', async () => {
    const seen = await visit(browser, dashboard.url);
    await seen.open(`/operations/${ids.duplicate}`);
    await give(seen, keys.read);
    const writes: string[] = [];
    seen.page.on('request', (request) => {
      if (request.method() !== 'GET') writes.push(`${request.method()} ${request.url()}`);
    });
    const retry = seen.page.getByRole('button', { name: 'Retry' });
    await expect.poll(() => retry.getAttribute('aria-disabled')).toBe('true');
    await retry.click({ force: true });
    await seen.page.getByText('This needs an API key of scope write').first().waitFor({ state: 'attached' });
    for (const path of ['/lanes', '/operations?status=failed', `/chunks/1`, '/jobs']) {
      await seen.open(path);
      await expect.poll(() => seen.page.locator('.scoped button').count()).toBeGreaterThan(path === '/jobs' ? -1 : 0);
      for (const each of await seen.page.locator('.scoped button').all()) await each.click({ force: true });
      expect(await seen.page.getByRole('dialog').count(), path).toBe(0);
    }
    expect(writes).toEqual([]);
    // And the service would refuse it too.
    const refused = await dashboard.api<{ code: string }>('POST', `operations/${ids.duplicate}/retries`, {}, keys.read);
    expect(refused.code).toBe('SCOPE_REQUIRED');
    const { status } = await dashboard.api<IBatchOperation>('GET', `operations/${ids.duplicate}`, undefined, keys.read);
    expect(status).toBe('failed');
    await seen.close();
  });
});
