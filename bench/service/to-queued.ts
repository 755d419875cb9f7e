import type { MessyOperation } from '../rows/messy-operations.js';
import type { MixedOperation } from '../rows/mixed-operations.js';
import type { QueuedOperation } from './filler.js';

/** An operation on a table with the key `id`, as a caller hands it over. */
export function toQueued({ kind, table, row }: MixedOperation | MessyOperation): QueuedOperation {
  const target = `public.${table}`;
  const { id, ...others } = row;
  const key = JSON.stringify({ id });
  switch (kind) {
    case 'insert':
      return { type: kind, target, values: JSON.stringify(row) };
    case 'upsert':
      return { type: kind, target, values: JSON.stringify(row), conflictKey: ['id'] };
    case 'update':
    case 'increment':
      return { type: kind, target, key, values: JSON.stringify(others) };
    case 'delete':
      return { type: kind, target, key };
  }
}
