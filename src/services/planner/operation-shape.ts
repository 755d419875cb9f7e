import type { StatementKind } from '../../batch/composer/compose-set-statement.js';
import type { IOperationError } from '../../interfaces/operation.js';
import { uniqueKeyOver, type Column, type Table, type UniqueKey } from '../catalog/table.js';
import type { ClaimedOperation } from '../queue/operation-record.js';
import type { Shape } from '../queue/shape.js';

/** What all operations of one statement have in common. Columns are resolved, in the table's own order. */
export interface OperationShape {
  kind: StatementKind;
  table: Table;
  /** The columns that name the row: those of `key`, or the conflict key of an upsert. Empty for inserts. */
  keyColumns: readonly Column[];
  /** The columns of `values`. */
  valueColumns: readonly Column[];
  /** The unique key by which it finds its row. Undefined for inserts. */
  namingKey: UniqueKey | undefined;
  /** One text for one shape. */
  signature: string;
  /** True when the statement can read the stored row as it is. Otherwise it gets a new row: see `encodeRow`. */
  readsStoredRow: boolean;
}

/** A limit, because each order of the columns makes a new entry. Only a hostile caller reaches it. */
const MAX_SHAPES_OF_A_TABLE = 1000;

/**
 * By the stored shape, or else by the names that the operation gives. Operations have few shapes, and to make a shape
 * costs more than the rest of binding.
 */
const shapes = new WeakMap<Table, Map<Shape | string, OperationShape | IOperationError>>();

/** Resolves the columns of an operation, or returns the error that PostgreSQL would return. */
export function shapeOf(operation: ClaimedOperation, table: Table): OperationShape | IOperationError {
  const { storedAs } = operation;
  const made = shapes.get(table) ?? new Map<Shape | string, OperationShape | IOperationError>();
  shapes.set(table, made);
  const name = storedAs?.byColumn === true ? storedAs : nameOf(operation);
  const known = made.get(name);
  if (known !== undefined) return known;
  if (made.size >= MAX_SHAPES_OF_A_TABLE) made.clear();
  const shape = makeShape(operation, table);
  made.set(name, shape);
  return shape;
}

/** NUL separates the names, because no column name contains NUL. */
function nameOf({ type, onConflict, conflictKey, key, values }: ClaimedOperation): string {
  const named = type === 'upsert' ? conflictKey : key === null ? null : Object.keys(key);
  const given = values === null ? null : Object.keys(values);
  return `${type}\0${onConflict ?? ''}\0${named?.join('\0') ?? ''}\0\0${given?.join('\0') ?? ''}`;
}

function makeShape(operation: ClaimedOperation, table: Table): OperationShape | IOperationError {
  const { storedAs } = operation;
  const stored = storedAs?.byColumn === true ? storedAs : undefined;
  const keyNames =
    operation.type === 'upsert'
      ? (operation.conflictKey ?? [])
      : (stored?.keyColumns ?? Object.keys(operation.key ?? {}));
  const valueNames = stored?.valueColumns ?? Object.keys(operation.values ?? {});
  const missingColumn = [...keyNames, ...valueNames].find((name) => !table.columns.has(name));
  if (missingColumn !== undefined) {
    return {
      code: 'UNKNOWN_COLUMN',
      message: `Table ${table.id} no longer has a column ${missingColumn}`,
      sqlState: '42703',
    };
  }
  const namingKey = keyNames.length > 0 ? uniqueKeyOver(table, keyNames) : undefined;
  if (keyNames.length > 0 && namingKey === undefined) {
    const key = keyNames.join(', ');
    return {
      code: 'KEY_NOT_UNIQUE',
      message: `(${key}) is no longer a primary key or unique constraint of ${table.id}`,
      ...(operation.type === 'upsert' && { sqlState: '42P10' }),
    };
  }
  const kind: StatementKind =
    operation.type === 'insert' && operation.onConflict === 'ignore' ? 'ignore' : operation.type;
  const keyColumns = inTableOrder(table, keyNames);
  const valueColumns = inTableOrder(table, valueNames);
  const signature = `${kind} ${table.id} (${namesOf(keyColumns)}) (${namesOf(valueColumns)})`;
  const shape = { kind, table, keyColumns, valueColumns, namingKey, signature };
  return { ...shape, readsStoredRow: operation.storedAs !== undefined && isStoredFor(operation.storedAs, shape) };
}

/** True when the stored row has exactly the values that the statement reads, in the same order and form. */
function isStoredFor(
  { byColumn, keyColumns, valueColumns, documents }: Shape,
  shape: Omit<OperationShape, 'readsStoredRow'>,
): boolean {
  const sent = sentColumns(shape);
  const stored = [...(keyColumns ?? []), ...(valueColumns ?? [])];
  return (
    byColumn &&
    stored.length === sent.length &&
    sent.every(({ name, kind }, place) => name === stored[place] && (kind === 'json') === documents.includes(place))
  );
}

export function inTableOrder(table: Table, names: readonly string[]): Column[] {
  if (names.length === 0) return [];
  const wanted = new Set(names);
  return [...table.columns.values()].filter((column) => wanted.has(column.name));
}

const namesOf = (columns: readonly Column[]): string => columns.map(({ name }) => JSON.stringify(name)).join(',');

/** The primary key, or else another unique key, if the values give all of its columns. */
export function givenKey({
  table,
  valueColumns,
}: Pick<OperationShape, 'table' | 'valueColumns'>): UniqueKey | undefined {
  const given = new Set(valueColumns.map(({ name }) => name));
  const usable = table.uniqueKeys.filter((key) => key.columns.every((name) => given.has(name)));
  return usable.find((key) => key.primary) ?? usable[0];
}

export const makesRow = ({ kind }: Pick<OperationShape, 'kind'>): boolean =>
  kind === 'insert' || kind === 'ignore' || kind === 'upsert';

/** The columns of a new row whose values come from sequences. */
export function drawnColumns(shape: OperationShape): Column[] {
  if (!makesRow(shape)) return [];
  return [...shape.table.columns.values()].filter(
    (column) => column.sequences.length > 0 && !shape.valueColumns.includes(column),
  );
}

/** True when its rows begin with the columns of the key. The key of an upsert is among its values. */
export const isKeyed = ({ kind }: Pick<OperationShape, 'kind'>): boolean =>
  kind === 'update' || kind === 'increment' || kind === 'delete';

/** The columns of a row in the order in which its statement reads them. `Shape` has the same order. */
export function sentColumns(shape: Pick<OperationShape, 'kind' | 'keyColumns' | 'valueColumns'>): readonly Column[] {
  const keyed = isKeyed(shape) ? shape.keyColumns : [];
  return shape.kind === 'delete' ? keyed : [...keyed, ...shape.valueColumns];
}
