import { INTEGER_KINDS, type Column, type Table } from '../catalog/table.js';
import { inTableOrder } from '../planner/operation-shape.js';
import { nameShape, objectShape, type NamedShape } from '../queue/shape.js';
import { objectRowText, rowValueText } from '../queue/stored-row.js';
import type { GivenRow } from '../values/exact-json.js';
import { ownValue } from '../values/own-value.js';
import { checkValue } from './check-value.js';
import type { ParsedRequest } from './parse-request.js';

/** How an operation is stored. */
export interface ShapedRequest {
  shape: NamedShape;
  row: string;
}

/**
 * What requests with the same names have in common. Their names were checked against the table, so only the values of
 * the next such request need a check.
 */
export interface RequestShape {
  shape: NamedShape;
  /** For a row with a value that would not stay as it was sent if the row were stored by column. */
  objects: NamedShape;
  /** In the order of the row. */
  columns: readonly RowColumn[];
  /** As the requests give them, in their order. */
  given: Pick<ParsedRequest, 'operationType' | 'onConflict' | 'mustExist' | 'conflictKey'> & {
    key: readonly string[] | undefined;
    values: readonly string[] | undefined;
  };
}

interface RowColumn {
  column: Column;
  inKey: boolean;
  /** Null is refused here. */
  required: boolean;
  kind: 'document' | 'integer' | 'other';
}

/** A limit, because each order of the columns makes a new entry. Only a hostile caller reaches it. */
const MAX_SHAPES_OF_A_TABLE = 1000;
/** To make a shape of hundreds of columns each time costs little beside writing its row. */
const MAX_NAME_LENGTH = 2000;

interface KnownShapes {
  byName: Map<string, RequestShape>;
  /** The next request often has the same shape. Comparing its names costs a quarter of making a name to look up. */
  last: RequestShape | undefined;
}

const known = new WeakMap<Table, KnownShapes>();

/** The shape of a request, if one with the same names was accepted before. */
export function knownShape(request: ParsedRequest, table: Table): RequestShape | undefined {
  const shapes = known.get(table);
  if (shapes === undefined) return undefined;
  if (shapes.last !== undefined && isOf(request, shapes.last)) return shapes.last;
  const found = shapes.byName.get(nameOf(request));
  // The names of the request are not checked yet: with NUL in them they may look like other names.
  return (shapes.last = found !== undefined && isOf(request, found) ? found : undefined);
}

/**
 * The shape of a request that was checked against its table. Columns come in the order of the table, so that equal sets
 * of columns have one shape.
 *
 * @param conflictKey of an upsert
 */
export function learnShape(request: ParsedRequest, table: Table, conflictKey: readonly string[] | null): RequestShape {
  const shapes: KnownShapes = known.get(table) ?? { byName: new Map(), last: undefined };
  known.set(table, shapes);
  if (shapes.byName.size >= MAX_SHAPES_OF_A_TABLE) shapes.byName.clear();
  const shape = makeShape(request, table, conflictKey);
  const name = nameOf(request);
  if (name.length <= MAX_NAME_LENGTH) shapes.byName.set(name, shape);
  return shape;
}

/** Checks the values of a request, and writes its row. Undefined when one of them is refused. */
export function shapeRow(
  { key, values }: ParsedRequest,
  { shape, objects, columns }: RequestShape,
): ShapedRequest | undefined {
  let row = '[';
  let byColumn = true;
  for (const { column, inKey, required, kind } of columns) {
    const value = ownValue((inKey ? key : values)!, column.name)!;
    if (value === null ? required : checkValue(column, value) !== undefined) return undefined;
    if (!byColumn) continue;
    const text = rowValueText(value, kind);
    if (text === undefined) byColumn = false;
    else row += row.length === 1 ? text : `,${text}`;
  }
  return byColumn
    ? { shape, row: `${row}]` }
    : { shape: objects, row: objectRowText({ key: key ?? null, values: values ?? null }) };
}

function isOf(request: ParsedRequest, { given }: RequestShape): boolean {
  return (
    request.operationType === given.operationType &&
    request.onConflict === given.onConflict &&
    request.mustExist === given.mustExist &&
    hasNames(request.values, given.values) &&
    hasNames(request.key, given.key) &&
    hasItems(request.conflictKey, given.conflictKey)
  );
}

function hasItems(list: readonly string[] | undefined, items: readonly string[] | undefined): boolean {
  if (list === undefined || items === undefined) return list === items;
  return list.length === items.length && list.every((item, place) => item === items[place]);
}

function hasNames(row: GivenRow | undefined, names: readonly string[] | undefined): boolean {
  if (row === undefined || names === undefined) return row === undefined && names === undefined;
  let place = 0;
  for (const name in row) {
    if (names[place] !== name) return false;
    place += 1;
  }
  return place === names.length;
}

/** NUL separates the names, because no column name contains NUL. A name that is not checked yet may contain it. */
function nameOf({ operationType, onConflict, mustExist, conflictKey, key, values }: ParsedRequest): string {
  const names = (row: GivenRow | undefined): string => (row === undefined ? '' : Object.keys(row).join('\0'));
  return `${operationType}\0${onConflict ?? ''}\0${mustExist}\0${conflictKey?.join('\0') ?? ''}\0\0${names(key)}\0\0${names(values)}`;
}

function makeShape(request: ParsedRequest, table: Table, conflictKey: readonly string[] | null): RequestShape {
  const { operationType, onConflict, mustExist, key, values } = request;
  // Uses the table's own strings, because a string of the request may keep the whole message in memory.
  const own = (name: string): string => table.columns.get(name)!.name;
  const keyColumns = inTableOrder(table, Object.keys(key ?? {}));
  const valueColumns = inTableOrder(table, Object.keys(values ?? {}));
  const columns: RowColumn[] = [
    ...keyColumns.map((column) => ({ column, inKey: true, required: true, kind: kindOf(column) })),
    ...valueColumns.map((column) => {
      const required = operationType === 'increment' || (conflictKey ?? []).includes(column.name);
      return { column, inKey: false, required, kind: kindOf(column) };
    }),
  ];
  const shape = nameShape({
    type: operationType,
    target: table.id,
    keyColumns: key === undefined ? null : keyColumns.map(({ name }) => name),
    valueColumns: values === undefined ? null : valueColumns.map(({ name }) => name),
    documents: columns.flatMap(({ kind }, place) => (kind === 'document' ? [place] : [])),
    byColumn: true,
    onConflict: operationType === 'insert' ? (onConflict ?? 'error') : null,
    conflictKey: conflictKey && conflictKey.map(own),
    mustExist,
  });
  const given = {
    ...{ operationType, onConflict, mustExist, conflictKey: request.conflictKey?.map(own) },
    key: key && Object.keys(key).map(own),
    values: values && Object.keys(values).map(own),
  };
  return { shape, objects: objectShape(shape), columns, given };
}

function kindOf({ kind }: Column): 'document' | 'integer' | 'other' {
  if (kind === 'json') return 'document';
  return INTEGER_KINDS.has(kind) ? 'integer' : 'other';
}
