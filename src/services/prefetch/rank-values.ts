import type { Column } from '../catalog/table.js';
import { encodeValue } from '../composer/encode-value.js';
import { givenValue, keyValue, type BoundOperation } from '../planner/bound-operation.js';
import { asksDatabase } from '../planner/comparable.js';
import { rankKey, type PrefetchedRows } from '../planner/read-set.js';
import { relevantColumns } from '../planner/row-history.js';
import { groupBy } from '../values/group-by.js';
import type { FamilyValue } from './prefetch.sql.js';

/** The values of a family that a chunk compares. */
export interface Family {
  name: string;
  type: Column['familyType'];
  /** By `rankKey`. */
  values: Map<string, FamilyValue>;
}

/** All values on which the plan depends and whose equality only the database knows, by family. Pure. */
export function familiesOf(
  operations: readonly BoundOperation[],
  known: ReadonlyMap<string, PrefetchedRows>,
): Family[] {
  const families = new Map<string, Family>();
  const add = (column: Column, text: string | null, storedType: string | undefined): void => {
    if (text === null) return;
    const family = families.get(column.family) ?? { name: column.family, type: column.familyType, values: new Map() };
    families.set(column.family, family);
    family.values.set(rankKey(text, storedType), { text, storedType });
  };
  for (const [table, onTable] of groupBy(operations, (operation) => operation.table)) {
    if (table.opaque !== undefined) continue;
    const rows = known.get(table.id);
    for (const column of [...relevantColumns(table)].map((name) => table.columns.get(name)!).filter(asksDatabase)) {
      const { name, storedType } = column;
      for (const operation of onTable) {
        const given = givenValue(operation, name);
        if (given !== undefined && operation.kind !== 'increment') add(column, encodeValue(given, column), storedType);
        const named = keyValue(operation, name);
        if (named !== undefined && operation.kind !== 'upsert') add(column, encodeValue(named, column), undefined);
      }
      const index = rows?.columns.indexOf(name) ?? -1;
      for (const row of rows?.rows ?? []) add(column, row[index] ?? null, storedType);
    }
  }
  return [...families.values()];
}
