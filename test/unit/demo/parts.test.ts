import { describe, expect, it } from 'vitest';
import type { ICreateBatchOperationRequest } from '../../../src/interfaces/operation.js';
import type { IOperationsSettledEvent } from '../../../src/interfaces/settled-event.js';
import { readOptions } from '../../../demo/options.js';
import { lines } from '../../../demo/progress.js';
import { toSql } from '../../../demo/row-by-row.js';
import { Notifications } from '../../../demo/settled-listener.js';

describe('an operation as a single statement', () => {
  it.each<[ICreateBatchOperationRequest, string, unknown[]]>([
    [
      { operationType: 'insert', target: 'orders', values: { id: 1, total: '2.50' } },
      'insert into orders (id, total) values ($1, $2)',
      [1, '2.50'],
    ],
    [
      { operationType: 'insert', target: 'customers', values: { id: 1 }, onConflict: 'ignore' },
      'insert into customers (id) values ($1) on conflict do nothing',
      [1],
    ],
    [
      { operationType: 'upsert', target: 'order_items', values: { order_id: 1, sku: 'a', quantity: 2 } },
      'insert into order_items (order_id, sku, quantity) values ($1, $2, $3) ' +
        'on conflict (order_id, sku) do update set quantity = excluded.quantity',
      [1, 'a', 2],
    ],
    [
      { operationType: 'update', target: 'orders', key: { id: 1 }, values: { status: 'paid' } },
      'update orders set status = $1 where id = $2',
      ['paid', 1],
    ],
    [
      { operationType: 'increment', target: 'stock', key: { sku: 'a' }, values: { quantity: -2 } },
      'update stock set quantity = quantity + $1 where sku = $2',
      [-2, 'a'],
    ],
    [
      { operationType: 'delete', target: 'order_items', key: { order_id: 1, sku: 'a' } },
      'delete from order_items where order_id = $1 and sku = $2',
      [1, 'a'],
    ],
  ])('%o', (request, text, values) => {
    expect(toSql(request)).toEqual({ text, values });
  });
});

describe('the notifications', () => {
  const event: IOperationsSettledEvent = {
    ...{ chunkId: '1', source: 'shop', settledAt: '2026-01-01T00:00:00.000Z' },
    ...{ part: 1, parts: 1, completed: ['a'], failed: [{ id: 'b', code: 'CHECK_VIOLATION', message: 'too few' }] },
  };
  const running = new AbortController().signal;

  it('counts a notification that comes again once', () => {
    const notifications = new Notifications();
    notifications.record(event);
    notifications.record({ ...event, completed: ['not looked at'] });
    expect([...notifications.verdicts]).toEqual([
      ['a', { status: 'completed' }],
      ['b', { status: 'failed', code: 'CHECK_VIOLATION', message: 'too few' }],
    ]);
    expect(notifications.repeated).toBe(1);
  });

  it('waits for the notification of every operation', async () => {
    const notifications = new Notifications();
    notifications.record(event);
    const told: string[] = [];
    const waiting = notifications.waitFor(['a', 'b', 'c'], running).then(() => told.push('all'));
    notifications.record({ ...event, chunkId: '2', completed: ['d'] });
    await new Promise(setImmediate);
    expect(told).toEqual([]);
    notifications.record({ ...event, chunkId: '3', completed: ['c'] });
    await waiting;
  });

  it('gives up after silence', async () => {
    const notifications = new Notifications();
    await notifications.waitFor(['a'], running, 20);
    expect(notifications.verdicts.size).toBe(0);
  });

  it('stops waiting when the demo is ended, with its reason', async () => {
    const abort = new AbortController();
    const waiting = new Notifications().waitFor(['a'], abort.signal);
    abort.abort(new Error('Ctrl-C'));
    await expect(waiting).rejects.toThrow('Ctrl-C');
  });
});

describe('progress without a terminal', () => {
  it('is a line for each quarter', () => {
    const written: string[] = [];
    const bar = lines((line) => written.push(line.trim())).bar('settled', 4000);
    for (let value = 0; value <= 4000; value += 200) bar(value);
    expect(written).toEqual(
      [1000, 2000, 3000, 4000].map((value) => `settled      ${value.toLocaleString('en-US')} of 4,000`),
    );
  });
});

describe('the options', () => {
  it('default to twenty thousand operations', () => {
    expect(readOptions([])).toMatchObject({ operations: 20_000, seed: 1, database: 'batch_demo' });
    expect(readOptions(['--operations', '600', '--seed', '2'])).toMatchObject({ operations: 600, seed: 2 });
  });

  it.each([['--operations', '10'], ['--seed', 'x'], ['--speed']])('refuse %s %s', (...args) => {
    expect(() => readOptions(args)).toThrow(args[0]);
  });
});
