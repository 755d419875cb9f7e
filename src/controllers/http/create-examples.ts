import type { ICreateBatchOperationRequest } from '../../interfaces/operation.js';

interface Example {
  summary: string;
  value: ICreateBatchOperationRequest;
}

/** One request of each kind, and the options that change what it does. */
export const CREATE_EXAMPLES: Record<string, Example> = {
  insert: {
    summary: 'insert: a new order',
    value: {
      id: '0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f',
      operationType: 'insert',
      target: 'orders',
      values: { id: 4711, customer_id: 42, total: '99.90', status: 'new' },
      source: 'checkout',
    },
  },
  insertOrIgnore: {
    summary: 'insert: keep the row that exists already',
    value: { operationType: 'insert', target: 'customers', values: { id: 42, name: 'Ada' }, onConflict: 'ignore' },
  },
  upsert: {
    summary: 'upsert: by another unique constraint than the primary key',
    value: {
      operationType: 'upsert',
      target: 'customers',
      values: { email: 'ada@example.org', name: 'Ada Lovelace' },
      conflictKey: ['email'],
    },
  },
  update: {
    summary: 'update: the row has to exist',
    value: {
      operationType: 'update',
      target: 'orders',
      key: { id: 4711 },
      values: { status: 'paid' },
      mustExist: true,
    },
  },
  increment: {
    summary: 'increment: take two from the stock',
    value: { operationType: 'increment', target: 'stock', key: { sku: 'A-1' }, values: { quantity: -2 } },
  },
  delete: {
    summary: 'delete: not before a time, ahead of others',
    value: {
      operationType: 'delete',
      target: 'carts',
      key: { id: '0198f2a0-9999-7d4e-9f50-6a7b8c9d0e1f' },
      runAt: '2030-01-01T08:00:00Z',
      priority: 5,
    },
  },
};

export const CREATE_MANY_EXAMPLES = {
  mixed: {
    summary: 'All five kinds at once',
    value: { operations: Object.values(CREATE_EXAMPLES).map(({ value }) => value) },
  },
};
