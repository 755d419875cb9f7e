import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import pg from 'pg';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeId } from '../../src/client/make-id.js';
import type { IBatchOperation, IPage } from '../../src/interfaces/operation.js';
import { connectAmqpCaller, type AmqpCaller } from '../support/amqp.js';
import { eventually } from '../support/eventually.js';
import { startHttpReceiver, type HttpReceiver } from '../support/http-receiver.js';
import { clientOptions } from '../support/test-databases.js';
import { testSettings } from '../support/test-settings.js';
import { uniqueName } from '../support/unique-name.js';
import {
  accessibilityFaults,
  accessibilityFaultsInBoth,
  launchBrowser,
  settled,
  visit,
  type Visit,
} from './support/browser.js';
import { startDashboard, type Dashboard } from './support/dashboard.js';
import { fillShop, SHOP_TABLES, type ShopIds } from './support/shop.js';

const run = promisify(execFile);
const PENDING = { timeout: 20_000 };

let dashboard: Dashboard;
let browser: Browser;
let receiver: HttpReceiver;
let broker: AmqpCaller;
let ids: ShopIds;

beforeAll(async () => {
  receiver = await startHttpReceiver();
  const queue = uniqueName('queue');
  dashboard = await startDashboard(
    {
      BATCH_SERVICE_RMQ_QUEUE: queue,
      // A lane that meets a lock is parked at once, and nothing tries it again by itself.
      ...{ BATCH_LOCK_TIMEOUT: '50', BATCH_LANE_RETRY_LIMIT: '1' },
      ...{ BATCH_ALERT_WEBHOOK_URL: `${receiver.url}/alerts`, BATCH_ALERT_WEBHOOK_SECRET: 'x'.repeat(32) },
      ...{ BATCH_ALERT_INTERVAL: '200', BATCH_ALERT_RESOLVE_SECONDS: '1' },
    },
    { schema: SHOP_TABLES },
  );
  broker = await connectAmqpCaller(testSettings().rabbitmq!.url, queue);
  browser = await launchBrowser();
  ids = await fillShop(dashboard);
});
afterAll(async () => {
  await browser?.close();
  await broker?.close();
  await dashboard?.close();
  await receiver?.close();
});

const operation = (id: string): Promise<IBatchOperation> => dashboard.api('GET', `operations/${id}`);
const become = (id: string, status: IBatchOperation['status']): Promise<void> =>
  expect.poll(async () => (await operation(id)).status, PENDING).toBe(status);
const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });
const inDialog = (page: Page, name: string) => button(page, name).and(page.locator('dialog button'));

async function sell(quantity: number): Promise<string> {
  const id = makeId();
  await dashboard.api('POST', 'operations', {
    ...{ id, operationType: 'update', target: 'stock', key: { sku: 'A-17' }, values: { quantity } },
  });
  return id;
}

const visitOf = (id: number, more: object = {}): object => ({
  ...{ operationType: 'insert', target: 'visits', values: { id, page: '/' } },
  ...more,
});

/** Does something while a session of somebody else holds the row of the stock. */
async function whileLocked(work: (release: () => Promise<void>) => Promise<void>): Promise<void> {
  const holder = new pg.Client(clientOptions(dashboard.database.connection));
  await holder.connect();
  const release = async (): Promise<void> => void (await holder.query('rollback'));
  try {
    await holder.query(`begin; select from stock where sku = 'A-17' for update`);
    await work(release);
  } finally {
    await release();
    await holder.end();
  }
}

/** The page of the lanes that stand still, when the lane of the stock is parked. */
async function parkedLane(): Promise<Visit> {
  const seen = await visit(browser, dashboard.url);
  await seen.open('/lanes?show=standing');
  await seen.page.locator('tbody .badge', { hasText: 'parked' }).waitFor();
  return seen;
}

describe('a parked lane', () => {
  it('goes on without the operation in the way when that is skipped', async () => {
    await whileLocked(async () => {
      const inTheWay = await sell(3);
      const seen = await parkedLane();
      const { page } = seen;
      const behind = makeId();
      await dashboard.api('POST', 'operations', {
        ...{ id: behind, operationType: 'insert', target: 'stock', values: { sku: 'B-1', quantity: 1 } },
      });
      await page.locator(`tbody a[href$="${inTheWay}"]`).first().waitFor();
      expect(await accessibilityFaults(page)).toEqual([]);
      await button(page, 'Skip the operation').click();
      await page.getByRole('dialog').getByText(inTheWay).waitFor();
      expect(await accessibilityFaultsInBoth(page)).toEqual([]);
      await inDialog(page, 'Skip the operation').click();
      await page.getByText(/The operation is cancelled, and lane \d+ goes on\./).waitFor();
      await become(behind, 'completed');
      expect((await operation(inTheWay)).status).toBe('cancelled');
      await page.getByText('No lane is like that.').waitFor();
      expect(seen.faults).toEqual([]);
      await seen.close();
    });
  });

  it('is an alert, is tried again when it is resumed, and then the alert is over', async () => {
    const alerts = await visit(browser, dashboard.url);
    await alerts.open('/alerts');
    const table = (name: string) => alerts.page.getByRole('table', { name });
    await whileLocked(async (release) => {
      const id = await sell(2);
      const seen = await parkedLane();
      const firing = table('Alerts that are firing').getByRole('row', { name: /lane_blocked/ });
      await firing.getByText(/Lane \d+ stands still \(public\.stock\)/).waitFor();
      await firing.getByText(/webhook, firing/).waitFor();
      await firing.locator('.badge', { hasText: 'sent' }).waitFor();
      await seen.open('/');
      await seen.page.getByText(/Alert: Lane \d+ stands still/).waitFor();
      await release();
      await button(seen.page, 'Resume').click();
      await seen.page.getByText(/Lane \d+ is tried again\./).waitFor();
      await become(id, 'completed');
      await expect.poll(() => seen.page.getByText(/Alert: Lane/).count(), PENDING).toBe(0);
      await seen.close();
    });
    const over = table('Alerts that are over')
      .getByRole('row', { name: /lane_blocked/ })
      .first();
    await over.locator('.badge', { hasText: 'over' }).waitFor();
    await over.getByText(/webhook, resolved/).waitFor();
    expect(await accessibilityFaults(alerts.page)).toEqual([]);
    expect(alerts.faults).toEqual([]);
    await alerts.close();
  });
});

describe('a pause', () => {
  async function fillIn(page: Page, what: string, name: string, how: 'pause' | 'drain', reason = ''): Promise<void> {
    await button(page, 'Pause or drain…').click();
    await page.getByRole('combobox', { name: /^What/ }).selectOption(what);
    await page.getByLabel('Its name').fill(name);
    await page.getByRole('combobox', { name: /^How/ }).selectOption(how);
    await page.getByLabel(/^Reason/).fill(reason);
    await button(page, 'Do it').click();
  }
  const listed = (page: Page, name: string) =>
    page.getByRole('table', { name: 'Pauses and drains' }).getByRole('row', { name });

  it('of a table keeps its operations waiting until it ends', async () => {
    const seen = await visit(browser, dashboard.url);
    const { page } = seen;
    await seen.open('/lanes');
    await fillIn(page, 'target', 'visits', 'pause', 'a new index');
    await page.getByText('target visits is paused.').waitFor();
    await listed(page, 'target public.visits').getByText('a new index').waitFor();
    const { id } = await dashboard.api<IBatchOperation>('POST', 'operations', visitOf(501));
    await expect
      .poll(() => listed(page, 'target public.visits').getByRole('cell').nth(2).innerText(), PENDING)
      .toBe('1');
    const other = await visit(browser, dashboard.url);
    await other.open(`/operations/${id}`);
    await other.page
      .locator('.reason')
      .getByText(/target public\.visits is paused.*: a new index/)
      .waitFor();
    await listed(page, 'target public.visits').getByRole('button', { name: 'Unpause' }).click();
    await page.getByText('target public.visits goes on.').waitFor();
    await other.page.locator('.facts .badge', { hasText: 'completed' }).waitFor(PENDING);
    await page.getByText('Nothing is paused.').waitFor();
    expect([...seen.faults, ...other.faults]).toEqual([]);
    await seen.close();
    await other.close();
  });

  it('of a lane ends where the lane is shown, and a wrong name is refused in the form', async () => {
    const seen = await visit(browser, dashboard.url);
    const { page } = seen;
    await seen.open('/lanes?target=visits');
    await fillIn(page, 'lane', '99', 'pause');
    await page.getByRole('dialog').getByRole('alert').getByText(/lane/i).first().waitFor();
    expect(await accessibilityFaultsInBoth(page)).toEqual([]);
    const lane = await page.locator('tbody td[data-name=Lane]').first().innerText();
    await page.getByLabel('Its name').fill(lane);
    await button(page, 'Do it').click();
    await page.getByText(`lane ${lane} is paused.`).waitFor();
    const row = page.getByRole('table', { name: 'Lanes' }).getByRole('row').nth(1);
    await row.locator('.badge', { hasText: 'paused' }).waitFor();
    await row.getByRole('button', { name: 'Unpause' }).click();
    await page.getByText(`Lane ${lane} goes on.`).waitFor();
    await row.locator('.badge', { hasText: 'idle' }).waitFor();
    await fillIn(page, 'target', 'visits', 'pause');
    await row.getByRole('button', { name: 'Unpause target public.visits' }).click();
    await page.getByText('Nothing is paused.').waitFor();
    expect(seen.faults).toEqual([]);
    await seen.close();
  });

  it.each([
    ['source', 'night', { source: 'night' }, 'source night'],
    ['target', 'visits', {}, 'target public.visits'],
    ['lane', undefined, {}, /^lane \d+/],
  ])('that drains a %s refuses what is new until it ends', async (kind, name, more, row) => {
    const seen = await visit(browser, dashboard.url);
    const { page } = seen;
    await seen.open('/lanes?target=visits');
    const lane = await page.locator('tbody td[data-name=Lane]').first().innerText();
    await fillIn(page, kind, name ?? lane, 'drain');
    await page.getByText(`${kind} ${name ?? lane} is drained.`).waitFor();
    await seen.open('/lanes');
    const drained = page.getByRole('table', { name: 'Pauses and drains' }).getByRole('row', { name: row });
    await drained.getByText('drained: refuses new operations').waitFor();
    const id = makeId();
    const request = { ...visitOf(600, more), id };
    expect(await dashboard.api('POST', 'operations', request)).toMatchObject({ code: 'PAUSED' });
    await drained.getByRole('button', { name: 'Accept again' }).click();
    await page.getByText('Nothing is paused.').waitFor();
    expect(
      await dashboard.api('POST', 'operations', {
        ...request,
        operationType: 'delete',
        key: { id: 600 },
        values: undefined,
      }),
    ).toMatchObject({ id });
    await become(id, 'completed');
    expect(seen.faults).toEqual([]);
    await seen.close();
  });
});

describe('a copied request', () => {
  async function copied(path: string): Promise<unknown> {
    const seen = await visit(browser, dashboard.url, { permissions: ['clipboard-read', 'clipboard-write'] });
    await seen.open(path);
    await button(seen.page, 'Copy as curl').click();
    await button(seen.page, 'Copied').waitFor();
    const command = await seen.page.evaluate<string>('navigator.clipboard.readText()');
    await seen.close();
    const { stdout } = await run('bash', ['-c', command]);
    return JSON.parse(stdout);
  }

  it('of a list answers the list in a shell', async () => {
    const { items } = (await copied('/operations?status=failed&source=shop')) as IPage<IBatchOperation>;
    expect(items.map(({ id }) => id).sort()).toEqual([ids.duplicate, ids.orphan].sort());
  });

  it('of an operation is the same operation again, whatever characters it has', async () => {
    const values = { id: 700, page: `it's "$HOME" \\ \`id\` 'twice'` };
    const { id } = await dashboard.api<IBatchOperation>('POST', 'operations', { ...visitOf(700), values });
    await become(id, 'completed');
    // Another request with the same id would be refused.
    expect(await copied(`/operations/${id}`)).toMatchObject({ id, status: 'completed' });
  });
});

describe('a chunk', () => {
  it('lists the operations of a group in pages, and says which one a person came from', async () => {
    const operations = Array.from({ length: 120 }, (_, index) => visitOf(2000 + index, { source: 'group' }));
    // They wait together, so one chunk takes all of them.
    await dashboard.api('POST', 'pauses', { kind: 'target', name: 'visits' });
    await dashboard.api('POST', 'operations/bulk', { operations });
    await dashboard.api('DELETE', 'pauses/target/visits');
    const { items } = await eventually(
      async () => {
        const page = await dashboard.api<IPage<IBatchOperation>>(
          'GET',
          'operations?source=group&status=completed&limit=200',
        );
        expect(page.items).toHaveLength(120);
        return page;
      },
      { timeoutMs: 30_000 },
    );
    expect(new Set(items.map(({ chunkId }) => chunkId)).size).toBe(1);
    const last = items[0]!.id;
    const seen = await visit(browser, dashboard.url);
    const { page } = seen;
    await seen.open(`/operations/${last}`);
    await page.getByRole('link', { name: /^group \d+$/ }).click();
    await page.locator('.group.chosen').getByText('the operation is here').waitFor();
    const rows = page.locator('.group.chosen tbody tr');
    const members = async (): Promise<(string | null)[]> =>
      Promise.all((await page.locator('.group.chosen tbody tr .id a').all()).map((link) => link.getAttribute('title')));
    await expect.poll(() => rows.count()).toBe(50);
    const first = await members();
    await page.getByRole('link', { name: 'Next page' }).click();
    await expect.poll(async () => (await members())[0]).not.toBe(first[0]);
    await page.getByRole('link', { name: 'Next page' }).click();
    await expect.poll(() => rows.count()).toBe(20);
    await rows.filter({ hasText: 'this one' }).locator(`a[href$="${last}"]`).waitFor();
    expect(await accessibilityFaults(page)).toEqual([]);
    // A link shows what its sender saw.
    const other = await visit(browser, dashboard.url);
    await other.page.goto(page.url());
    await expect.poll(() => other.page.locator('.group.chosen tbody tr').count()).toBe(20);
    await other.close();
    await page.getByRole('link', { name: 'First page' }).click();
    await expect.poll(members).toEqual(first);
    expect(seen.faults).toEqual([]);
    await seen.close();
  });

  it('has the tree of what was tried, from which one leads to a group and to the refused operation', async () => {
    const { chunkId } = await operation(ids.duplicate);
    const seen = await visit(browser, dashboard.url);
    const { page } = seen;
    await seen.open(`/chunks/${chunkId}`);
    const tree = page.getByRole('region', { name: 'What was tried, in order' });
    // The refused operation lies inside a try that was undone.
    const undone = tree.locator('li', { has: page.locator(':scope > span .badge', { hasText: 'undone' }) }).first();
    const refused = undone.locator('li', { hasText: /refused.*SQLSTATE/ });
    await refused.getByText('23505').waitFor();
    const group = refused.filter({ hasText: '23505' }).getByRole('link', { name: /^group \d+$/ });
    const number = /\d+/.exec(await group.innerText())![0];
    await group.click();
    await expect.poll(() => new URL(page.url()).hash).toBe(`#group-${Number(number) - 1}`);
    expect(await page.locator('.group:target h3').innerText()).toBe(`${number}. insert customers`);
    await refused.filter({ hasText: '23505' }).getByRole('link', { name: 'which one' }).first().click();
    await page.getByRole('heading', { name: 'Operation' }).waitFor();
    expect(page.url()).toContain(ids.duplicate);
    expect(seen.faults).toEqual([]);
    await seen.close();
  });

  it('has its callers notified again', async () => {
    const { chunkId } = await operation(ids.duplicate);
    const notifiedAt = async () =>
      (await dashboard.api<{ notifiedAt?: string }>('GET', `chunks/${chunkId}`)).notifiedAt;
    await expect.poll(notifiedAt, PENDING).toBeDefined();
    const before = await notifiedAt();
    const seen = await visit(browser, dashboard.url);
    await seen.open(`/chunks/${chunkId}`);
    await button(seen.page, 'Notify again').click();
    await inDialog(seen.page, 'Notify again').click();
    await seen.page.getByText('Its sources are notified as soon as a worker runs.').waitFor();
    await expect.poll(async () => [undefined, before].includes(await notifiedAt()), PENDING).toBe(false);
    await seen.close();
  });
});

describe('a dead letter', () => {
  const park = (id: number) =>
    broker.emit('create_operation', { operationType: 'insert', target: 'returns', values: { id } });

  it('is replayed when its cause is gone, or discarded', async () => {
    await park(1);
    await park(2);
    const seen = await visit(browser, dashboard.url);
    const { page } = seen;
    const messages = page.getByRole('table', { name: 'Parked messages' }).locator('tbody tr');
    await expect
      .poll(async () => (await dashboard.api<{ total: number }>('GET', 'parked-messages')).total, PENDING)
      .toBe(2);
    await seen.open('/dead-letters');
    await expect.poll(() => messages.count()).toBe(2);
    await messages.first().getByText('UNKNOWN_TARGET').first().waitFor();
    const second = messages.filter({ hasText: '"values":{"id":2}' });
    await second.locator('summary').click();
    expect(await second.getByRole('region').innerText()).toContain('"target":"returns"');
    expect(await accessibilityFaults(page)).toEqual([]);
    await second.getByRole('button', { name: 'Discard' }).click();
    await inDialog(page, 'Discard').click();
    await page.getByText('The message is deleted.').waitFor();
    await expect.poll(() => messages.count()).toBe(1);
    await dashboard.database.client.query('create table returns (id int primary key)');
    await button(page, 'Replay').click();
    await page.getByText('The message is in its queue again.').waitFor();
    await page.getByText('No message is parked.').waitFor();
    await expect
      .poll(async () => (await dashboard.database.client.query<{ id: number }>('select id from returns')).rows, PENDING)
      .toEqual([{ id: 1 }]);
    expect(seen.faults).toEqual([]);
    await seen.close();
  });

  it('that is a notification is sent now, or given up', async () => {
    const { chunkId } = await operation(ids.completed);
    const refuse = async (source: string): Promise<void> => {
      await dashboard.database.client.query(
        `insert into batch.parked_notifications (chunk_id, source, reason, failures, parked_at, next_try_at)
         values ($1, $2, 'precondition failed', 3, now(), now() + interval '1 day')`,
        [chunkId, source],
      );
    };
    const seen = await visit(browser, dashboard.url);
    const { page } = seen;
    const rows = page.getByRole('table', { name: 'Notifications that the broker refuses' }).locator('tbody tr');
    await refuse('shop');
    await seen.open('/dead-letters');
    await rows.getByText('precondition failed').waitFor();
    await button(page, 'Give up').click();
    await inDialog(page, 'Give up').click();
    await page.getByText('Its sources are not notified.').waitFor();
    await page.getByText('The broker refuses none.').waitFor();
    await refuse('shop');
    await seen.open('/dead-letters');
    await rows.getByText('precondition failed').waitFor();
    await button(page, 'Send now').click();
    await page.getByText('They are sent as soon as a worker runs.').waitFor();
    await page.getByText('The broker refuses none.').waitFor();
    expect(seen.faults).toEqual([]);
    await seen.close();
  });
});

describe('the link over the navigation', () => {
  it('leads to the content', async () => {
    const seen = await visit(browser, dashboard.url);
    await seen.open('/operations');
    const skip = seen.page.getByRole('link', { name: 'Skip to the content' });
    await skip.focus();
    await seen.page.keyboard.press('Enter');
    await expect.poll(() => new URL(seen.page.url()).hash).toBe('#content');
    await seen.page.keyboard.press('Tab');
    // The first field or button of the page, and not of the navigation.
    expect(await seen.page.evaluate<boolean>(`document.activeElement.closest('main') !== null`)).toBe(true);
    await settled(seen.page);
    await seen.close();
  });
});
