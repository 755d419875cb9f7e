import type { IOperationsPlan, IPlanGroup, IPlanOperationsRequest } from '../../interfaces/plan.js';

/** What is grouped and what is not, on the tables of the README. */
export const PLAN_EXAMPLES: Record<'sameRow' | 'parentFirst', { summary: string; value: IPlanOperationsRequest }> = {
  sameRow: {
    summary: 'Operations on one row keep their order',
    value: {
      operations: [
        { operationType: 'update', target: 'orders', key: { id: 4711 }, values: { status: 'paid' } },
        { operationType: 'delete', target: 'orders', key: { id: 4711 } },
        { operationType: 'update', target: 'orders', key: { id: 4711 }, values: { status: 'shipped' } },
      ],
    },
  },
  parentFirst: {
    summary: 'A row comes after the row to which it refers',
    value: {
      operations: [
        { operationType: 'insert', target: 'customers', values: { id: 42, name: 'Ada' } },
        { operationType: 'insert', target: 'orders', values: { id: 4711, customer_id: 42, status: 'new' } },
      ],
    },
  },
};

export const UPDATE_EXAMPLE: Omit<IPlanGroup, 'operations'> = {
  chunk: 0,
  kind: 'update',
  target: 'public.orders',
  keyColumns: ['id'],
  valueColumns: ['status'],
  folded: [],
  sql:
    'update "public"."orders" t set "status" = s.c1 from (select s.ord, (s.cells->>0)::integer as c0, (s.cells->>1)::text as c1 from batch.operation_rows($1, $2) s) s\n' +
    '  where t."id" = any (array[s.c0]) and (select count((s.c0, s.c1)) from (select s.ord, (s.cells->>0)::integer as c0, (s.cells->>1)::text as c1 from batch.operation_rows($1, $2) s offset 0) s) >= 0',
};

const WAITS_FOR = { rule: 'same row', resource: 'public.orders (id) = (4711)' };

/** The answer to `sameRow`. */
export const PLAN_ANSWER_EXAMPLE: IOperationsPlan = {
  mode: 'grouped',
  chunks: 1,
  statements: 3,
  operations: [
    { group: 0 },
    { group: 1, waitsFor: { operation: 0, ...WAITS_FOR } },
    { group: 2, waitsFor: { operation: 1, ...WAITS_FOR } },
  ],
  groups: [
    { ...UPDATE_EXAMPLE, operations: [0] },
    {
      chunk: 0,
      kind: 'delete',
      target: 'public.orders',
      keyColumns: ['id'],
      valueColumns: [],
      operations: [1],
      folded: [],
      sql:
        'delete from "public"."orders" t using (select s.ord, (s.cells->>0)::integer as c0 from batch.operation_rows($1, $2) s) s\n' +
        '  where t."id" = any (array[s.c0]) and (select count((s.c0)) from (select s.ord, (s.cells->>0)::integer as c0 from batch.operation_rows($1, $2) s offset 0) s) >= 0',
    },
    {
      ...UPDATE_EXAMPLE,
      operations: [2],
      because: { operation: 1, ...WAITS_FOR, meaning: 'operations on one row keep their order' },
    },
  ],
};
