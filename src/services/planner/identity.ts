import { primaryKey, type Table, type UniqueKey } from '../catalog/table.js';
import type { BoundOperation } from './bound-operation.js';

/**
 * The unique key that identifies the rows of a table in this chunk: the key by which all operations name them. If there
 * is no such key, it is the primary key, or else any unique key. Undefined where the table has none.
 */
export function chooseIdentities(operations: readonly BoundOperation[]): (table: Table) => UniqueKey | undefined {
  const used = new Map<string, Set<UniqueKey>>();
  for (const operation of operations) {
    const key = operation.namingKey;
    if (key === undefined) continue;
    const keys = used.get(operation.table.id);
    if (keys === undefined) used.set(operation.table.id, new Set([key]));
    else keys.add(key);
  }
  return (table) => {
    const keys = used.get(table.id);
    return keys?.size === 1 ? [...keys][0] : (primaryKey(table) ?? table.uniqueKeys[0]);
  };
}

/** True when the operation may change one of these columns in an existing row. */
export function changes({ kind, keyColumns, valueColumns }: BoundOperation, columns: readonly string[]): boolean {
  if (kind === 'insert' || kind === 'ignore' || kind === 'delete') return false;
  const conflictKey = kind === 'upsert' ? keyColumns : [];
  return valueColumns.some((column) => columns.includes(column.name) && !conflictKey.includes(column));
}
