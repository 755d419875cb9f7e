import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { makeId } from '../../src/client/make-id.js';
import type { IBatchOperation } from '../../src/interfaces/operation.js';
import {
  EVENTS_EXCHANGE,
  settledRoutingKey,
  type IOperationsSettledMessage,
} from '../../src/interfaces/settled-event.js';
import { connectAmqpCaller, nextMessage, type AmqpCaller } from '../support/amqp.js';
import type { ServiceProcess } from '../support/service-process.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { clientOptions } from '../support/test-databases.js';
import { uniqueName } from '../support/unique-name.js';
import { launchBrowser, settled, visit, type Visit } from './support/browser.js';
import { startDashboard, type Dashboard } from './support/dashboard.js';
import { SHOP_TABLES } from './support/shop.js';

const ORPHANS = 3000;
const MOST_CLICKS = 3;
/** For what the pages and the processes do by themselves. It ends what hangs, and judges no speed. */
const SOON = { timeout: 60_000 };
const NIGHT_MS = 300_000;

let broker: TcpProxy;
let dashboard: Dashboard;
let worker: ServiceProcess;
let caller: AmqpCaller;
let browser: Browser;
let seen: Visit;
let page: Page;

beforeAll(async () => {
  const { url } = inject('services')!.rabbitmq;
  const { hostname, port } = new URL(url);
  const queue = uniqueName('queue');
  broker = await startTcpProxy({ host: hostname, port: Number(port || 5672) });
  dashboard = await startDashboard(
    {
      BATCH_SERVICE_RMQ_URL: broker.through(url),
      BATCH_SERVICE_RMQ_QUEUE: queue,
      // A lane that meets a lock is parked after a second, as it is in the morning after a lock that was held all night.
      BATCH_LOCK_TIMEOUT: '1000',
      BATCH_LANE_RETRY_LIMIT: '1',
    },
    { schema: SHOP_TABLES, role: 'api' },
  );
  worker = await dashboard.startProcess('worker');
  caller = await connectAmqpCaller(url, queue);
  browser = await launchBrowser();
  seen = await visit(browser, dashboard.url);
  page = seen.page;
  page.setDefaultTimeout(SOON.timeout);
  await page.goto(`${dashboard.url}/ui`);
  await page.evaluate('window.isTheSameNight = true');
});
afterAll(async () => {
  await browser?.close();
  await worker?.end();
  await dashboard?.close();
  await caller?.close();
  await broker?.close();
});

/** Each trouble begins on an overview that says that all is well. */
beforeEach(() => overviewSaysThatAllIsWell(), NIGHT_MS);

const button = (name: string, within: Page | Locator = page): Locator =>
  within.getByRole('button', { name, exact: true });
const link = (name: string | RegExp): Locator => page.getByRole('link', { name });
const trouble = (text: string | RegExp): Locator => page.locator('.troubles li').filter({ hasText: text });

async function overviewSaysThatAllIsWell(): Promise<void> {
  await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Overview' }).click();
  await page.getByText('Everything runs.').waitFor();
}

/** Follows links from the overview to the cause, and no more of them than a tired person has the patience for. */
function clicks(): (target: Locator) => Promise<void> {
  let done = 0;
  return async (target) => {
    done += 1;
    expect(done, 'clicks from the overview').toBeLessThanOrEqual(MOST_CLICKS);
    await target.click();
    await settled(page);
  };
}

/** Accepts operations, and answers their ids. */
async function accept(operations: object[]): Promise<string[]> {
  const withIds = operations.map((operation) => ({ id: makeId(), ...operation }));
  for (let from = 0; from < withIds.length; from += 1000) {
    await dashboard.api('POST', 'operations/bulk', { operations: withIds.slice(from, from + 1000) });
  }
  return withIds.map(({ id }) => id);
}

const statusOf = async (id: string): Promise<string> =>
  (await dashboard.api<IBatchOperation>('GET', `operations/${id}`)).status;
const rows = async (sql: string): Promise<object[]> => (await dashboard.database.client.query<object>(sql)).rows;

describe('the first night, from the overview to the cause and to the cure', { timeout: NIGHT_MS }, () => {
  it('a session has locked a table, and its lane was given up', async () => {
    const reporting = new pg.Client({
      ...clientOptions(dashboard.database.connection),
      application_name: 'reporting',
    });
    // Its session is ended.
    reporting.on('error', () => undefined);
    await reporting.connect();
    await reporting.query('begin');
    await reporting.query('lock table stock in exclusive mode');
    const [{ pid }] = (await reporting.query<{ pid: number }>('select pg_backend_pid() as pid')).rows as [
      { pid: number },
    ];
    await reporting.query('select sum(quantity) from stock');
    const [id] = await accept([
      { operationType: 'update', target: 'stock', key: { sku: 'A-17' }, values: { quantity: 4 } },
    ]);

    await trouble('1 lane stands still.').waitFor();
    const click = clicks();
    await click(link('See why, and resume or skip'));
    await page.locator('tbody .badge', { hasText: 'parked' }).waitFor();
    await click(link('Who holds the lock'));
    const reason = page.locator('.reason');
    await reason.getByText('canceling statement due to lock timeout').first().waitFor();
    const holder = reason.locator('.holders li');
    await holder.getByText(`Session ${pid} of reporting`).waitFor();
    await holder.getByText('idle in transaction').waitFor();
    await holder.getByText('select sum(quantity) from stock').waitFor();

    const command = await holder.locator('code', { hasText: 'pg_terminate_backend' }).innerText();
    expect(await rows(command)).toEqual([{ pg_terminate_backend: true }]);
    await holder.waitFor({ state: 'detached' });
    await button('Resume', reason).click();
    await page.locator('.facts .badge', { hasText: 'completed' }).waitFor();
    expect(await statusOf(id!)).toBe('completed');
    expect(await rows(`select quantity from stock where sku = 'A-17'`)).toEqual([{ quantity: 4 }]);
  });

  it('thousands of operations failed, because one parent is missing', async () => {
    await accept(
      Array.from({ length: ORPHANS }, (_, id) => ({
        ...{ operationType: 'insert', target: 'orders', values: { id, customer_id: 7 }, source: 'shop' },
      })),
    );

    await trouble('3,000 operations on orders failed in the last hour: MISSING_PARENT').waitFor();
    const click = clicks();
    await click(link('See one of them, and retry all'));
    const group = page.getByRole('row', { name: /MISSING_PARENT/ });
    await group.getByText('orders_customer_id_fkey', { exact: true }).waitFor();
    await group.getByText('3,000').waitFor();

    await rows(`insert into customers values (7, 'Grace')`);
    await click(button('Retry all', group));
    await page.getByText('3,000 operations match.').waitFor();
    await click(button('Retry 3,000'));
    await page.getByRole('progressbar', { name: 'Progress of the bulk action' }).waitFor();
    await page.getByText('3,000 of 3,000 operations').waitFor();
    await expect.poll(() => rows('select count(*)::int from orders'), SOON).toEqual([{ count: ORPHANS }]);
    expect(await dashboard.api('GET', 'operations?status=failed')).toMatchObject({ items: [] });
  });

  it('messages are poisoned', async () => {
    await caller.emit('create_operation', { operationType: 'insert', target: 'invoices', values: { id: 1 } });
    await caller.sendRaw('{ "pattern": "create_operation", "data": ');

    await trouble('2 messages could not be executed.').waitFor();
    const click = clicks();
    await click(link('See why, and replay or discard'));
    const early = page.getByRole('row', { name: /UNKNOWN_TARGET/ });
    await early.getByText(/There is no table .*invoices/).waitFor();
    await click(early.locator('summary'));
    await early.getByText(/"target":"invoices","values":\{"id":1\}/).waitFor();
    const broken = page.getByRole('row', { name: /MALFORMED_MESSAGE/ });
    await broken.getByText('{ "pattern": "create_operation", "data":').first().waitFor();

    await rows('create table invoices (id int primary key)');
    await button('Replay', early).click();
    await page.getByText('The message is in its queue again.').waitFor();
    await early.waitFor({ state: 'detached' });
    await expect.poll(() => rows('select id from invoices'), SOON).toEqual([{ id: 1 }]);
    await button('Discard', broken).click();
    await button('Discard', page.getByRole('dialog')).click();
    await page.getByText('No message is parked.').waitFor();
  });

  it('the broker is gone', async () => {
    const { channel } = caller;
    const { queue } = await channel.assertQueue('', { exclusive: true });
    // Services of other tests notify over the same broker.
    const source = uniqueName('web');
    await channel.bindQueue(queue, EVENTS_EXCHANGE, settledRoutingKey(source));
    broker.refuse();
    const [id] = await accept([{ operationType: 'insert', target: 'visits', values: { id: 1, page: '/' }, source }]);
    await expect.poll(() => statusOf(id!), SOON).toBe('completed');

    // The overview itself names the cause, so no click is needed.
    await trouble('rabbitmq is down: not connected: rpc').waitFor();
    await trouble('The callers of 1 chunk are not notified yet. They are notified when the broker is back.').waitFor();

    broker.accept();
    await page.getByText('Everything runs.').waitFor();
    const { content } = await nextMessage(caller.connection, queue);
    const { data } = JSON.parse(content.toString()) as IOperationsSettledMessage;
    expect(data).toMatchObject({ source, completed: [id], failed: [] });
  });

  it('the only worker has died', async () => {
    worker.signal('SIGKILL');
    await worker.exited;
    const ids = await accept(
      Array.from({ length: 5 }, (_, id) => ({ operationType: 'insert', target: 'visits', values: { id: 10 + id } })),
    );

    await trouble('No worker is seen. 5 operations wait, and nothing is executed.').waitFor();
    await page.getByRole('row', { name: `:${worker.child.pid} not seen` }).waitFor();
    const command = await trouble('No worker is seen.').locator('code').innerText();
    const click = clicks();
    await click(link('Pending'));
    await click(page.locator(`tbody a[href$="${ids[0]}"]`));
    await page.locator('.reason').getByText('No worker was seen in the last 10 seconds: start one.').waitFor();

    worker = await dashboard.startProcess(await roleOf(command));
    await page.locator('.facts .badge', { hasText: 'completed' }).waitFor();
    await overviewSaysThatAllIsWell();
    await expect.poll(async () => new Set(await Promise.all(ids.map(statusOf))), SOON).toEqual(new Set(['completed']));
  });

  it('is over: all is well, on a page that was loaded once, and in which nothing went wrong', async () => {
    expect(await page.evaluate('window.isTheSameNight')).toBe(true);
    expect(seen.faults).toEqual([]);
  });
});

/** The role with which `npm run …` starts the service. */
async function roleOf(command: string): Promise<string> {
  const [, name = ''] = /^npm run (\S+)$/.exec(command) ?? [];
  const { scripts } = JSON.parse(await readFile(join(import.meta.dirname, '../../package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  return / dist\/main\.js (\w+)$/.exec(scripts[name] ?? '')?.[1] ?? '';
}
