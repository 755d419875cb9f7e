import type { JsonRow } from '../../../src/interfaces/json.js';
import type { OperationType } from '../../../src/interfaces/operation.js';
import type { Table } from '../../../src/services/catalog/table.js';
import { encodeValue } from '../../../src/services/composer/encode-value.js';
import { bindOperation, type BoundOperation } from '../../../src/services/planner/bound-operation.js';
import {
  EMPTY_READ_SET,
  rankKey,
  searchKey,
  searchName,
  type PrefetchedRows,
  type ReadSet,
} from '../../../src/services/planner/read-set.js';
import { originalsOf, type Plan } from '../../../src/services/planner/plan.js';
import { planOperations } from '../../../src/services/planner/plan-operations.js';
import { relevantColumns } from '../../../src/services/planner/row-history.js';
import type { ClaimedOperation } from '../../../src/services/queue/operation-record.js';

type More = Partial<ClaimedOperation>;
type Scalar = string | number | boolean | null;

let seq = 0;

export function operation(
  on: Table,
  type: OperationType,
  key: JsonRow | null,
  values: JsonRow | null,
  more: More = {},
): BoundOperation {
  seq += 1;
  const claimed: ClaimedOperation = {
    seq,
    id: `operation ${seq}`,
    type,
    target: on.id,
    key,
    values,
    onConflict: null,
    conflictKey: type === 'upsert' ? ['id'] : null,
    mustExist: false,
    place: '(0,1)',
    priority: 0,
    lane: 0,
    attempts: 0,
    retryLimit: null,
    retryOn: null,
    ...more,
  };
  const bound = bindOperation(claimed, on);
  if ('code' in bound) throw new Error(bound.message);
  return bound;
}

export const insert = (on: Table, values: JsonRow, more?: More): BoundOperation =>
  operation(on, 'insert', null, values, more);
export const upsert = (on: Table, values: JsonRow, more?: More): BoundOperation =>
  operation(on, 'upsert', null, values, more);
export const update = (on: Table, key: Scalar | JsonRow, values: JsonRow, more?: More): BoundOperation =>
  operation(on, 'update', keyOf(key), values, more);
export const increment = (on: Table, key: Scalar | JsonRow, values: JsonRow, more?: More): BoundOperation =>
  operation(on, 'increment', keyOf(key), values, more);
export const remove = (on: Table, key: Scalar | JsonRow, more?: More): BoundOperation =>
  operation(on, 'delete', keyOf(key), null, more);

/** A value alone names the row by `id`. */
function keyOf(key: Scalar | JsonRow): JsonRow {
  return typeof key === 'object' && key !== null ? key : { id: key };
}

/** The read set as the prefetch gives it when it looks for the rows of all these operations, and the tables hold these rows. */
export function knowing(
  operations: readonly BoundOperation[],
  rows: readonly (readonly [Table, JsonRow])[],
  more: Partial<ReadSet> = {},
): ReadSet {
  const tables = new Map(operations.map(({ table }) => [table.id, table]));
  const known = [...tables.values()].map((table): [string, PrefetchedRows] => {
    const columns = [...relevantColumns(table)];
    const searched = new Map<string, Set<string>>();
    for (const each of operations.filter((one) => one.table === table && one.namingKey !== undefined)) {
      const name = searchName(each);
      searched.set(name, (searched.get(name) ?? new Set<string>()).add(searchKey(each)));
    }
    const found = rows
      .filter(([on]) => on === table)
      .map(([, row]) => columns.map((name) => encodeValue(row[name], table.columns.get(name)!)));
    return [table.id, { columns, searched, rows: found }];
  });
  return { ...EMPTY_READ_SET, tables: new Map(known), ...more };
}

/** Lists of equal texts of one family, whatever type keeps them. */
export function ranked(family: string, storedType: string, ...equal: string[][]): ReadSet['ranks'] {
  const ranks = equal.flatMap((texts, rank) =>
    texts.flatMap((text): [string, number][] => [
      [rankKey(text), rank],
      [rankKey(text, storedType), rank],
    ]),
  );
  return new Map([[family, new Map(ranks)]]);
}

/**
 * A plan in one line: `0 2 | 1+3` has operations 0 and 2 in its first group, and 1 and 3 as one row of its second.
 */
export function shapeOf({ operations, groups }: Plan): string {
  const indexes = new Map(operations.map((each, index) => [each, index]));
  return groups
    .map((group) =>
      group.operations
        .map((row) =>
          originalsOf(row)
            .map((one) => indexes.get(one))
            .join('+'),
        )
        .join(' '),
    )
    .join(' | ');
}

export const shape = (operations: readonly BoundOperation[], readSet: ReadSet = EMPTY_READ_SET): string =>
  shapeOf(planOperations(operations, readSet));
