import type { UniqueKey } from '../catalog/table.js';
import type { BoundOperation } from './bound-operation.js';
import type { ChunkView } from './chunk-view.js';
import { changes } from './identity.js';
import { makesRow } from './operation-shape.js';
import { textOf, type KnownValue, type Value } from './value.js';

/** A row as the operations of a chunk name it: by its identity, or by the insert that draws its identity. Rows keep their names. */
export interface RowName {
  text: string;
  /** Absent for a row whose identity is NULL. */
  identity?: KnownValue | { state: 'generated' };
}

/** For an operation whose row only the database can tell, or that gives its row another name. */
export const ANY_ROW = 'any row';

/**
 * The rows that an operation names by their identity, or creates. Empty for an operation that finds its row by
 * another key. Pure.
 *
 * @param index of the operation among the operations on its table
 */
export function nameRows(
  chunk: ChunkView,
  identity: UniqueKey,
  operation: BoundOperation,
  index: number,
): readonly RowName[] | typeof ANY_ROW {
  const { kind } = operation;
  if (renames(chunk, identity, operation)) return ANY_ROW;
  if (kind !== 'insert' && kind !== 'ignore' && operation.namingKey === identity) {
    const named = chunk.named(operation, identity.columns);
    return named.state === 'known' ? [{ text: named.text, identity: named }] : ANY_ROW;
  }
  if (makesRow(operation)) {
    const made = madeName(chunk.inserted(operation, identity.columns, identity.nullsNotDistinct), index);
    return made === undefined ? ANY_ROW : [made];
  }
  return [];
}

function madeName(identity: Value, index: number): RowName | undefined {
  switch (identity.state) {
    case 'known':
      return { text: identity.text, identity };
    case 'generated':
      return { text: `fresh ${index}`, identity: { state: 'generated' } };
    case 'null':
      return { text: `null ${index}` };
    case 'unknown':
      return undefined;
    default:
      return identity satisfies never;
  }
}

/** True when the row may have another identity afterwards. Few operations do that, and to follow it would need much code. */
function renames(chunk: ChunkView, { columns }: UniqueKey, operation: BoundOperation): boolean {
  if (!changes(operation, columns)) return false;
  const keeps = (name: string): boolean => {
    const written = chunk.storedValue(operation, operation.table.columns.get(name)!);
    if (written === undefined) return true;
    const named = chunk.namedValue(operation, name);
    return named.state === 'known' && textOf(named) === textOf(written);
  };
  return operation.kind !== 'update' || !columns.every(keeps);
}
