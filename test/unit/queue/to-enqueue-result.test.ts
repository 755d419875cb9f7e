import { describe, expect, it } from 'vitest';
import type { EnqueueResult, NewOperation } from '../../../src/services/queue/new-operation.js';
import type { StoredRequest } from '../../../src/services/queue/same-request.js';
import { firstById, toEnqueueResult, type StoredOperations } from '../../../src/services/queue/to-enqueue-result.js';
import { readRow } from '../../../src/services/queue/stored-row.js';
import { stringifyJson } from '../../../src/services/values/exact-json.js';
import { newOperation } from '../../support/worker.js';

const insert = (id: string, values: string, target = 'public.items'): NewOperation =>
  newOperation({ id, type: 'insert', target, values });
const request = (operation: NewOperation, status: StoredRequest['status']): StoredRequest => ({
  ...operation,
  ...operation.shape,
  ...textsOf(operation),
  runAt: null,
  status,
  erased: false,
});
const textsOf = ({ shape, row }: NewOperation): Pick<StoredRequest, 'key' | 'values'> => {
  const { key, values } = readRow(shape, row);
  return { key: key && stringifyJson(key), values: values && stringifyJson(values) };
};
const resultsOf = (operations: readonly NewOperation[], stored: Partial<StoredOperations>): EnqueueResult[] => {
  const all = { created: new Map(), existing: new Map(), moving: [], drained: new Map(), ...stored };
  return operations.map((operation) => toEnqueueResult(operation, firstById(operations), all));
};

describe('what became of an operation that was enqueued', () => {
  it('is that it was created, with its state', () => {
    const created = new Map([
      ['a', 'pending' as const],
      ['b', 'scheduled' as const],
    ]);
    expect(resultsOf([insert('a', '{}'), insert('b', '{}')], { created })).toEqual([
      { outcome: 'created', status: 'pending' },
      { outcome: 'created', status: 'scheduled' },
    ]);
  });

  it('is decided for the second of one id by the first, which was created', () => {
    const created = new Map([['a', 'pending' as const]]);
    expect(resultsOf([insert('a', '{"n":1}'), insert('a', '{ "n": 1 }'), insert('a', '{"n":2}')], { created })).toEqual(
      [{ outcome: 'created', status: 'pending' }, { outcome: 'existing', status: 'pending' }, { outcome: 'conflict' }],
    );
  });

  it('is decided by the stored operation where the id is known, even while its table is being moved', () => {
    const existing = new Map([['a', request(insert('a', '{"n":1}'), 'completed')]]);
    const stored = { existing, moving: ['public.items'] };
    expect(resultsOf([insert('a', '{"n":1}')], stored)).toEqual([{ outcome: 'existing', status: 'completed' }]);
    expect(resultsOf([insert('a', '{"n":2}')], stored)).toEqual([{ outcome: 'conflict' }]);
  });

  it('is that it was busy only where its own table is being moved', () => {
    const moving = ['public.items'];
    expect(resultsOf([insert('a', '{}')], { moving })).toEqual([{ outcome: 'busy' }]);
    expect(() => resultsOf([insert('a', '{}', 'public.notes')], { moving })).toThrow('Operation a was neither stored');
  });
});
