import pg from 'pg';
import { DataSource } from 'typeorm';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  BatchServiceRefusalError,
  createOperationsInTransaction,
  type ICreateBatchOperationRequest,
  type QueryInTransaction,
} from '../../src/client/index.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { clientOptions } from '../support/test-databases.js';

describe('createOperationsInTransaction', () => {
  let database: TestDatabase;
  let client: pg.Client;
  beforeAll(async () => {
    database = await createTestDatabase();
    await database.client.query(
      'create table orders (id int primary key); create table customers (id int primary key, orders int)',
    );
    client = new pg.Client(clientOptions(database.connection));
    await client.connect();
  });
  afterAll(async () => {
    await client?.end();
    await database?.drop();
  });
  beforeEach(async () => {
    await database.client.query('truncate orders, batch.operations, batch.pending');
  });

  const counted: ICreateBatchOperationRequest = {
    operationType: 'increment',
    target: 'customers',
    key: { id: 4 },
    values: { orders: 1 },
  };
  const wrong: ICreateBatchOperationRequest = { operationType: 'insert', target: 'customers', values: { ordres: 1 } };
  const stored = async (): Promise<number[]> => {
    const { rows } = await database.client.query<{ orders: number; operations: number }>(
      'select (select count(*) from orders)::int as orders, (select count(*) from batch.pending)::int as operations',
    );
    return [rows[0]!.orders, rows[0]!.operations];
  };

  it('makes an order and its operations one, with node-postgres', async () => {
    const query: QueryInTransaction = (text, values) => client.query(text, values);
    for (const end of ['rollback', 'commit']) {
      await client.query('begin');
      await client.query('insert into orders values (17)');
      const id = '0198F2A0-3B1C-7D4E-9F50-6A7B8C9D0E1F';
      const results = await createOperationsInTransaction(query, [{ ...counted, id }, counted]);
      expect(results).toEqual([
        { id: id.toLowerCase(), status: 'pending', created: true },
        { id: expect.any(String) as string, status: 'pending', created: true },
      ]);
      await client.query(end);
      expect(await stored()).toEqual(end === 'commit' ? [1, 2] : [0, 0]);
    }
  });

  it('works with TypeORM, whose error it tells as the refusal that it is', async () => {
    const { host, port, username, password } = database.connection;
    const dataSource = new DataSource({ type: 'postgres', host, port, username, password, database: database.name });
    await dataSource.initialize();
    try {
      await dataSource.transaction(async (manager) => {
        await manager.query('insert into orders values (1)');
        await createOperationsInTransaction((text, values) => manager.query(text, values), [counted]);
      });
      expect(await stored()).toEqual([1, 1]);
      const refused = dataSource.transaction(async (manager) => {
        await manager.query('insert into orders values (2)');
        await createOperationsInTransaction((text, values) => manager.query(text, values), [counted, wrong]);
      });
      await expect(refused).rejects.toMatchObject({
        name: 'BatchServiceRefusalError',
        code: 'UNKNOWN_COLUMN',
        message: 'public.customers has no column "ordres"',
        details: { code: 'UNKNOWN_COLUMN', operation: 1, column: 'ordres' },
      });
      expect(await stored()).toEqual([1, 1]);
    } finally {
      await dataSource.destroy();
    }
  });

  it('reads the rows and the errors of Prisma', async () => {
    const rows = [{ id: 'a', status: 'pending', created: true, more: 1 }];
    await expect(createOperationsInTransaction(() => Promise.resolve(rows), [counted])).resolves.toEqual([
      { id: 'a', status: 'pending', created: true },
    ]);
    const meta = { code: 'BS100', message: 'ERROR: KEY_REQUIRED: delete needs a key' };
    const error = Object.assign(new Error('Raw query failed'), { code: 'P2010', meta });
    const refused = createOperationsInTransaction(() => Promise.reject(error), [counted]);
    await expect(refused).rejects.toBeInstanceOf(BatchServiceRefusalError);
    await expect(refused).rejects.toMatchObject({ code: 'KEY_REQUIRED', message: 'delete needs a key', cause: error });
  });

  it('throws other errors of the database as they are', async () => {
    const error = Object.assign(new Error('canceling statement'), { code: '57014' });
    await expect(createOperationsInTransaction(() => Promise.reject(error), [counted])).rejects.toBe(error);
  });
});
