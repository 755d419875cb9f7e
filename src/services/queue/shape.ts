import type { OperationType } from '../../interfaces/operation.js';

/** What operations of the same kind have in common: all of a request except its values. */
export interface Shape {
  type: OperationType;
  /** `Table.id` */
  target: string;
  /** The columns of `key`. Null when there is no key, or when `byColumn` is false. */
  keyColumns: readonly string[] | null;
  /** The columns of `values`. Null in the same cases. */
  valueColumns: readonly string[] | null;
  /** The indexes in a row, from 0, of values that are JSON documents as text. */
  documents: readonly number[];
  /**
   * True: a row has one value for each column, and the columns of the key come first. False: a row has two values,
   * `key` and `values`. Each is the text of a JSON object, or null.
   */
  byColumn: boolean;
  onConflict: 'error' | 'ignore' | null;
  conflictKey: readonly string[] | null;
  mustExist: boolean;
}

/** A shape with a name. Only equal shapes have the same name. */
export interface NamedShape extends Shape {
  name: string;
}

export interface StoredShape extends Shape {
  id: number;
}

/** `batch.store_shape` makes its hash from the same text. */
export function nameShape(shape: Shape): NamedShape {
  const { type, target, keyColumns, valueColumns, documents, byColumn, onConflict, conflictKey, mustExist } = shape;
  const fields = [type, target, keyColumns, valueColumns, documents, byColumn, onConflict, conflictKey, mustExist];
  return { ...shape, name: JSON.stringify(fields) };
}

/** The shape of the same operations when it is not by column. A table has only a few such shapes. */
export function objectShape(shape: Shape): NamedShape {
  const conflictKey = shape.conflictKey && [...shape.conflictKey].sort();
  return nameShape({ ...shape, keyColumns: null, valueColumns: null, documents: [], byColumn: false, conflictKey });
}
