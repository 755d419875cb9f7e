import { INTEGER_KINDS, type Column, type Table } from '../catalog/table.js';
import { inTableOrder } from '../planner/operation-shape.js';
import { nameShape, objectShape, type NamedShape } from '../queue/shape.js';
import { objectRowText, rowValueText } from '../queue/stored-row.js';
import type { GivenRow } from '../values/exact-json.js';
import { ownValue } from '../values/own-value.js';
import type { ParsedRequest } from './parse-request.js';

/** How an operation is stored. */
export interface ShapedRequest {
  shape: NamedShape;
  row: string;
}

/** A shape with the columns of its rows in their order. */
interface PlannedShape {
  shape: NamedShape;
  objects: NamedShape;
  columns: readonly { name: string; inKey: boolean; kind: 'document' | 'integer' | 'other' }[];
}

/** A limit, because each order of the columns makes a new entry. Only a hostile caller sends so many. */
const MAX_SHAPES_OF_A_TABLE = 1000;
/** Planning a shape of hundreds of columns each time costs little beside writing its row. */
const MAX_NAME_LENGTH = 2000;

/** By the names that a request gives. Requests have few shapes, and making one costs more than writing the row. */
const planned = new WeakMap<Table, Map<string, PlannedShape>>();

/**
 * Parts a checked request into its shape and its row. Columns come in the order of the table, so that equal sets of columns have one
 * shape.
 *
 * @param conflictKey of an upsert
 */
export function shapeRequest(
  request: ParsedRequest,
  table: Table,
  conflictKey: readonly string[] | null,
): ShapedRequest {
  const { key = null, values = null } = request;
  const { shape, objects, columns } = plannedShape(request, table, conflictKey);
  let row = '[';
  for (const { name, inKey, kind } of columns) {
    const text = rowValueText(ownValue((inKey ? key : values)!, name)!, kind);
    // No row by column shows this value as it was sent.
    if (text === undefined) return { shape: objects, row: objectRowText({ key, values }) };
    row += row.length === 1 ? text : `,${text}`;
  }
  return { shape, row: `${row}]` };
}

function plannedShape(request: ParsedRequest, table: Table, conflictKey: readonly string[] | null): PlannedShape {
  const known = planned.get(table) ?? new Map<string, PlannedShape>();
  planned.set(table, known);
  const name = nameOf(request, conflictKey);
  const made = known.get(name);
  if (made !== undefined) return made;
  if (known.size >= MAX_SHAPES_OF_A_TABLE) known.clear();
  const shape = planShape(request, table, conflictKey);
  if (name.length <= MAX_NAME_LENGTH) known.set(name, shape);
  return shape;
}

/** NUL separates the names, because no column name contains NUL. */
function nameOf(
  { operationType, onConflict, mustExist, key, values }: ParsedRequest,
  conflictKey: readonly string[] | null,
): string {
  const names = (row: GivenRow | undefined): string => (row === undefined ? '' : Object.keys(row).join('\0'));
  return `${operationType}\0${onConflict ?? ''}\0${mustExist}\0${conflictKey?.join('\0') ?? ''}\0\0${names(key)}\0\0${names(values)}`;
}

function planShape(
  { operationType, onConflict, mustExist, key, values }: ParsedRequest,
  table: Table,
  conflictKey: readonly string[] | null,
): PlannedShape {
  const keyColumns = inTableOrder(table, Object.keys(key ?? {}));
  const valueColumns = inTableOrder(table, Object.keys(values ?? {}));
  const columns = [
    ...keyColumns.map((column) => ({ name: column.name, inKey: true, kind: kindOf(column) })),
    ...valueColumns.map((column) => ({ name: column.name, inKey: false, kind: kindOf(column) })),
  ];
  const shape = nameShape({
    type: operationType,
    target: table.id,
    keyColumns: key === undefined ? null : keyColumns.map(({ name }) => name),
    valueColumns: values === undefined ? null : valueColumns.map(({ name }) => name),
    documents: columns.flatMap(({ kind }, place) => (kind === 'document' ? [place] : [])),
    byColumn: true,
    onConflict: operationType === 'insert' ? (onConflict ?? 'error') : null,
    conflictKey,
    mustExist,
  });
  return { shape, objects: objectShape(shape), columns };
}

function kindOf({ kind }: Column): 'document' | 'integer' | 'other' {
  if (kind === 'json') return 'document';
  return INTEGER_KINDS.has(kind) ? 'integer' : 'other';
}
