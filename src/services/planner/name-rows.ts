import type { UniqueKey } from '../catalog/table.js';
import type { BoundOperation } from './bound-operation.js';
import type { ChunkView } from './chunk-view.js';
import { changes } from './identity.js';
import { combine, UNKNOWN, type KnownValue, type Value } from './value.js';

/** A row as the operations of a chunk name it: by its identity, or by the insert that draws its identity. */
export interface RowName {
  text: string;
  /** Absent for a row whose identity is NULL. */
  identity?: KnownValue | { state: 'fresh' };
}

/** For an operation whose row only the database can tell. */
export const ANY_ROW = 'any row';

/**
 * The rows that an operation names by their identity, creates, or renames. Empty for an operation that finds its row by
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
  const names: RowName[] = [];
  if (kind !== 'insert' && kind !== 'ignore' && operation.namingKey === identity) {
    const named = chunk.named(operation, identity.columns);
    if (named.state !== 'known') return ANY_ROW;
    names.push({ text: named.text, identity: named });
  } else if (kind === 'insert' || kind === 'ignore' || kind === 'upsert') {
    const made = madeName(chunk.inserted(operation, identity.columns, identity.nullsNotDistinct), index);
    if (made === undefined) return ANY_ROW;
    names.push(made);
  }
  const renamed = newName(chunk, identity, operation, names[0]);
  return renamed === ANY_ROW ? ANY_ROW : [...names, ...renamed];
}

function madeName(identity: Value, index: number): RowName | undefined {
  switch (identity.state) {
    case 'known':
      return { text: identity.text, identity };
    case 'fresh':
      return { text: `fresh ${index}`, identity: { state: 'fresh' } };
    case 'null':
      return { text: `null ${index}` };
    case 'unknown':
      return undefined;
    default:
      return identity satisfies never;
  }
}

/** The new name that an update gives to its row. Undefined if the name stays. */
function newName(
  chunk: ChunkView,
  { columns, nullsNotDistinct }: UniqueKey,
  operation: BoundOperation,
  old: RowName | undefined,
): readonly RowName[] | typeof ANY_ROW {
  if (!changes(operation, columns)) return [];
  if (operation.kind === 'increment') return ANY_ROW;
  const identity = combine(
    columns.map((name) => {
      const written = chunk.storedValue(operation, operation.table.columns.get(name)!);
      return written ?? (old === undefined ? UNKNOWN : chunk.namedValue(operation, name));
    }),
    nullsNotDistinct,
  );
  if (identity.state !== 'known') return ANY_ROW;
  return identity.text === old?.text ? [] : [{ text: identity.text, identity }];
}
