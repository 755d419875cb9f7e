import type { ICreateBatchOperationRequest } from '../../interfaces/operation.js';

interface Example {
  summary: string;
  value: ICreateBatchOperationRequest;
}

/**
 * One request of each kind, and the options that change what it does. They run unchanged on the tables of the README.
 */
export const CREATE_EXAMPLES: Record<string, Example> = {
  insert: {
    summary: 'insert: a new customer',
    value: {
      id: '0198f2a0-7e10-7d4e-9f50-6a7b8c9d0e42',
      operationType: 'insert',
      target: 'customers',
      values: { id: 42, name: 'Ada' },
      source: 'checkout',
    },
  },
  insertOrIgnore: {
    summary: 'insert: keep the row that exists already',
    value: { operationType: 'insert', target: 'customers', values: { id: 42, name: 'Ada' }, onConflict: 'ignore' },
  },
  upsert: {
    summary: 'upsert: the row with this unique key, new or not',
    value: {
      operationType: 'upsert',
      target: 'stock',
      values: { sku: 'A-17', quantity: 7 },
      conflictKey: ['sku'],
    },
  },
  update: {
    summary: 'update: the row must exist',
    value: {
      operationType: 'update',
      target: 'customers',
      key: { id: 42 },
      values: { name: 'Ada Lovelace' },
      mustExist: true,
    },
  },
  increment: {
    summary: 'increment: take two from the stock',
    value: { operationType: 'increment', target: 'stock', key: { sku: 'A-17' }, values: { quantity: -2 } },
  },
  delete: {
    summary: 'delete: not before a time, ahead of others',
    value: {
      operationType: 'delete',
      target: 'customers',
      key: { id: 42 },
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
