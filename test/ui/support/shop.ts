import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { IJobExecution } from '../../../src/interfaces/job.js';
import type { IBatchOperation, ICreateBatchOperationRequest } from '../../../src/interfaces/operation.js';
import { makeId } from '../../../src/client/make-id.js';
import { eventually } from '../../support/eventually.js';
import type { Dashboard } from './dashboard.js';

export const SHOP_TABLES = `
  create table customers (id int primary key, name text not null);
  create table orders (id int primary key, customer_id int references customers, status text, total numeric);
  create table stock (sku text primary key, quantity int not null check (quantity >= 0));
  create table visits (id int primary key, page text);
  insert into stock values ('A-17', 5)`;

/** A text that a page would run if it took it for HTML. */
export const SCRIPT = '<script>document.title = "taken over"</script><img src=x onerror="document.title=1">';

/** Operations of every outcome, by what became of them. */
export interface ShopIds {
  completed: string;
  duplicate: string;
  orphan: string;
  script: string;
  cancelled: string;
  scheduled: string;
  exact: string;
}

const CSV = [
  'order_no,customer,amount,ordered_on',
  'A-1,Ada,129.90,2026-01-04',
  'A-2,Edsger,not a number,2026-02-14',
  'A-3,Margaret,-5,2026-03-14',
];

export async function fillShop(dashboard: Dashboard, key?: string): Promise<ShopIds> {
  const ids: ShopIds = {
    ...{ completed: makeId(), duplicate: makeId(), orphan: makeId(), script: makeId() },
    ...{ cancelled: makeId(), scheduled: makeId(), exact: makeId() },
  };
  const inAnHour = new Date(Date.now() + 3_600_000).toISOString();
  const operations: ICreateBatchOperationRequest[] = [
    { id: ids.completed, operationType: 'insert', target: 'customers', values: { id: 1, name: 'Ada' }, source: 'shop' },
    {
      id: ids.duplicate,
      operationType: 'insert',
      target: 'customers',
      values: { id: 1, name: 'Ada again' },
      source: 'shop',
    },
    { id: ids.orphan, operationType: 'insert', target: 'orders', values: { id: 1, customer_id: 99 }, source: 'shop' },
    { id: ids.script, operationType: 'insert', target: 'visits', values: { id: 1, page: SCRIPT }, source: 'web' },
    {
      id: ids.exact,
      operationType: 'insert',
      target: 'orders',
      values: { id: 2, customer_id: 1, status: 'new' },
      source: 'shop',
    },
    { id: ids.cancelled, operationType: 'delete', target: 'visits', key: { id: 5 }, runAt: inAnHour },
    {
      id: ids.scheduled,
      operationType: 'update',
      target: 'stock',
      key: { sku: 'A-17' },
      values: { quantity: 4 },
      runAt: inAnHour,
    },
    ...Array.from({ length: 30 }, (_, index): ICreateBatchOperationRequest => ({
      operationType: 'insert',
      target: 'visits',
      values: { id: 100 + index, page: `/product/${index}` },
      source: 'web',
    })),
  ];
  await dashboard.api('POST', 'operations/bulk', { operations }, key);
  await dashboard.api('DELETE', `operations/${ids.cancelled}`, undefined, key);
  await eventually(
    async () => {
      const { status } = await dashboard.api<IBatchOperation>('GET', `operations/${ids.orphan}`, undefined, key);
      expect(status).toBe('failed');
    },
    { timeoutMs: 30_000 },
  );
  return ids;
}

/** A job that skipped two items, and one that failed, because its file is gone. */
export async function runJobs(
  dashboard: Dashboard,
): Promise<{ folder: string; completed: string; remove(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'batch-ui-'));
  const file = join(folder, 'orders.csv');
  await writeFile(file, CSV.join('\n'));
  const { id } = await dashboard.api<IJobExecution>('POST', 'jobs/importOrders/executions', { parameters: { file } });
  await eventually(
    async () => {
      const { status } = await dashboard.api<IJobExecution>('GET', `job-executions/${id}`);
      expect(status).toBe('COMPLETED');
    },
    { timeoutMs: 30_000 },
  );
  return { folder, completed: id, remove: () => rm(folder, { recursive: true }) };
}
