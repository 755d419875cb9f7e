import type { JsonRow } from '../../src/interfaces/json.js';
import type { Table } from '../../src/services/catalog/table.js';
import { bindOperation, type BoundOperation } from '../../src/services/planner/bound-operation.js';
import type { Plan } from '../../src/services/planner/plan.js';
import type { ClaimedOperation } from '../../src/services/queue/operation-record.js';

/** What tests and the measuring program of isolation have in common: one table, and rows that it refuses in several ways. */
export const DDL = `
  create domain score as int check (value >= 0);
  create table parent (id int primary key);
  create table target (
    id int primary key,
    email text unique,
    n int not null check (n >= 0),
    day date,
    parent_id int references parent,
    low int,
    high int,
    score score,
    check (low <= high)
  );
  insert into parent select generate_series(1, 50);
  insert into target select 100000 + i, 'taken ' || i, 0, null, null from generate_series(0, 999) i;
  analyze parent, target;
`;

export const FAULTS = {
  'duplicate key': (index) => ({ email: `taken ${index}` }),
  check: (index) => ({ n: -1 - (index % 50) }),
  'foreign key': (index) => ({ parent_id: 100_000 + index }),
  'bad literal': () => ({ day: '2024-02-30' }),
  // The error shows the row, but another row does not look like it.
  'check of two columns': (index) => ({ low: 1000 + index }),
  // The error shows nothing.
  'check of a domain': (index) => ({ score: -1 - index }),
} as const satisfies Record<string, (index: number) => JsonRow>;

export type Fault = keyof typeof FAULTS;

export const SQL_STATES: Record<Fault, string> = {
  'duplicate key': '23505',
  check: '23514',
  'foreign key': '23503',
  'bad literal': '22008',
  'check of two columns': '23514',
  'check of a domain': '23514',
};

export type Row = JsonRow & { id: number; email: string };

/** Rows of `target`, every `count / bad`-th of them with the fault. */
export function rows(count: number, bad: number, fault: Fault): Row[] {
  const faulty = new Set(Array.from({ length: bad }, (_, index) => Math.floor(((index + 0.5) * count) / bad)));
  return Array.from({ length: count }, (_, index) => ({
    id: index + 1,
    email: `e${index}`,
    n: index % 100,
    day: '2024-01-15',
    parent_id: (index % 50) + 1,
    low: index % 10,
    high: 10,
    score: index,
    ...(faulty.has(index) && FAULTS[fault](index)),
  }));
}

export type Bindable = Pick<ClaimedOperation, 'type'> & Partial<ClaimedOperation>;

let lastSeq = 0;

export function bind(table: Table, operation: Bindable): BoundOperation {
  lastSeq += 1;
  const bound = bindOperation(
    {
      seq: lastSeq,
      id: `00000000-0000-7000-8000-${String(lastSeq).padStart(12, '0')}`,
      target: table.id,
      key: null,
      values: null,
      onConflict: null,
      conflictKey: null,
      mustExist: false,
      place: '(0,1)',
      priority: 0,
      lane: 0,
      attempts: 0,
      retryLimit: null,
      retryOn: null,
      ...operation,
    },
    table,
  );
  if ('code' in bound) throw new Error(bound.message);
  return bound;
}

export function inserts(table: Table, values: readonly JsonRow[]): BoundOperation[] {
  return values.map((row) => bind(table, { type: 'insert', values: row }));
}

/** These groups as they are, whatever the planner would make of them. */
export function planOf(groups: readonly (readonly BoundOperation[])[]): Plan {
  return {
    operations: groups.flat(),
    groups: groups.map((operations) => ({ signature: signatureOf(operations[0]!), operations: [...operations] })),
    placements: groups.flatMap((operations, group) => operations.map(() => ({ group }))),
  };
}

const signatureOf = ({ kind, table, keyColumns, valueColumns }: BoundOperation): string =>
  JSON.stringify([kind, table.id, keyColumns.map(({ name }) => name), valueColumns.map(({ name }) => name)]);

export const singly = (operations: readonly BoundOperation[]): Plan =>
  planOf(operations.map((operation) => [operation]));
