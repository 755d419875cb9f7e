import type { OperationType } from '../../interfaces/operation.js';

/** What operations of the same kind have in common: everything of a request but its values. */
export interface Shape {
  type: OperationType;
  /** `Table.id` */
  target: string;
  /** The columns of `key`. Null when there is no key, or when `byColumn` is false. */
  keyColumns: readonly string[] | null;
  /** The columns of `values`. As above. */
  valueColumns: readonly string[] | null;
  /** Places in a row, from 0, of values that are the texts of JSON documents. */
  documents: readonly number[];
  /**
   * True: a row has one value for each column, those of the key first. False: it has two, `key` and `values`, each as the text of a
   * JSON object or null.
   */
  byColumn: boolean;
  onConflict: 'error' | 'ignore' | null;
  conflictKey: readonly string[] | null;
  mustExist: boolean;
}

/** A shape with a text that is the same for equal shapes only. */
export interface NamedShape extends Shape {
  name: string;
}

/** A shape as `batch.shapes` has it. */
export interface StoredShape extends Shape {
  id: number;
}

/** Also the text from which `batch.store_shape` makes the hash. */
export function nameShape(shape: Shape): NamedShape {
  const { type, target, keyColumns, valueColumns, documents, byColumn, onConflict, conflictKey, mustExist } = shape;
  const fields = [type, target, keyColumns, valueColumns, documents, byColumn, onConflict, conflictKey, mustExist];
  return { ...shape, name: JSON.stringify(fields) };
}

/** The shape of the same operations when their rows are key and values as they were sent. A table has only a few of these. */
export function objectShape(shape: Shape): NamedShape {
  const conflictKey = shape.conflictKey && [...shape.conflictKey].sort();
  return nameShape({ ...shape, keyColumns: null, valueColumns: null, documents: [], byColumn: false, conflictKey });
}
