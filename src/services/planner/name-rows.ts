import type { UniqueKey } from '../catalog/table.js';
import type { BoundOperation } from './bound-operation.js';
import type { ChunkView } from './chunk-view.js';
import { changes } from './identity.js';
import { makesRow } from './operation-shape.js';
import { textOf, type KnownValue, type Value } from './value.js';

/** A row as operations name it: by its identity, or by the insert that creates it. A name never changes. */
export interface RowName {
  text: string;
  /** Absent for a row whose identity is NULL. */
  identity?: KnownValue | { state: 'generated' };
}

/** For an operation that changes the identity of its row, or whose row only the database can find. */
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

/** True when the operation may change the row's identity. This is rare, so the planner does not follow such rows. */
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
