import { addDetails } from '../../entities/operation-details.js';
import type { ErrorCode } from '../../interfaces/error.js';
import { quoteForMessage } from '../errors/quote-for-message.js';
import { primaryKey, type Column, type ColumnKind, type Table, type UniqueKey } from '../catalog/table.js';
import { ServiceError } from '../errors/service-error.js';
import type { NewOperation } from '../queue/new-operation.js';
import type { GivenRow, GivenValue } from '../values/exact-json.js';
import { ownValue } from '../values/own-value.js';
import { checkValue } from './check-value.js';
import type { NearestNames } from './nearest-names.js';
import type { ParsedRequest } from './parse-request.js';
import { knownShape, learnShape, shapeRow, type ShapedRequest } from './shape-request.js';

/**
 * Checks a request against its table, as far as the catalog tells: columns, key, and values that can never fit.
 * The database decides everything that depends on rows or on its own reading of a value.
 *
 * @param hints suggests a column for an unknown one; without it the refusal has no suggestion
 */
export function checkOperation(
  request: ParsedRequest,
  table: Table,
  hints?: NearestNames,
): NewOperation | ServiceError {
  const known = knownShape(request, table);
  const shaped = known && shapeRow(request, known);
  if (shaped !== undefined) return toNewOperation(request, shaped);
  try {
    const learned = learnShape(request, table, check(request, table));
    return toNewOperation(request, shapeRow(request, learned)!);
  } catch (error) {
    if (error instanceof ServiceError) return hints === undefined ? error : withHint(error, table, hints);
    throw error;
  }
}

function toNewOperation(request: ParsedRequest, { shape, row }: ShapedRequest): NewOperation {
  const { id, createdBy = null, traceContext } = request;
  return addDetails({ id, shape, row, createdBy, traceContext }, request);
}

function withHint(error: ServiceError, table: Table, hints: NearestNames): ServiceError {
  const column = error.details?.column;
  if (error.code !== 'UNKNOWN_COLUMN' || typeof column !== 'string') return error;
  const nearest = hints.column(table, column);
  if (nearest === undefined) return error;
  return refusal('UNKNOWN_COLUMN', `${error.message}; did you mean ${quoteForMessage(nearest)}?`, table, {
    column,
    nearest,
  });
}

const INCREMENTABLE: readonly ColumnKind[] = ['int2', 'int4', 'int8', 'numeric', 'float'];

/** @returns the conflict key of an upsert */
function check(request: ParsedRequest, table: Table): readonly string[] | null {
  switch (request.operationType) {
    case 'insert':
      checkValues(request, table);
      if (request.onConflict === 'ignore') checkIgnorable(table);
      return null;
    case 'upsert':
      checkValues(request, table);
      return checkConflictKey(request, table);
    case 'update':
      checkKey(request, table);
      checkValues(request, table);
      return null;
    case 'increment':
      checkKey(request, table);
      checkIncrements(request, table);
      return null;
    case 'delete':
      checkKey(request, table);
      return null;
    default:
      return request.operationType satisfies never;
  }
}

function checkKey({ operationType, key }: ParsedRequest, table: Table): void {
  if (key === undefined || Object.keys(key).length === 0) {
    throw refusal('KEY_REQUIRED', `${operationType} needs a key; ${keysOf(table)}`, table);
  }
  for (const [name, value] of Object.entries(key)) {
    const column = columnOf(table, name);
    if (value === null) throw nullInKey(table, name);
    checkFits(table, column, value);
  }
  requireUnique(table, Object.keys(key));
}

/** PostgreSQL cannot ignore a conflict that it detects only at the end of a transaction. */
function checkIgnorable(table: Table): void {
  const deferrable = table.uniqueKeys.find((key) => key.deferrable);
  if (deferrable === undefined) return;
  throw refusal(
    'NOT_SUPPORTED',
    `onConflict 'ignore' cannot be used with the deferrable constraint ${quoteForMessage(deferrable.name)} of ${quoteForMessage(table.id)}; use an upsert, or make the constraint not deferrable`,
    table,
  );
}

/** @returns the columns that decide whether the row already exists */
function checkConflictKey({ conflictKey, values }: ParsedRequest, table: Table): readonly string[] {
  const columns = conflictKey ?? primaryKey(table)?.columns;
  if (columns === undefined) {
    throw refusal(
      'KEY_REQUIRED',
      `upsert needs a conflictKey, since ${table.id} has no primary key; ${keysOf(table)}`,
      table,
    );
  }
  for (const name of columns) columnOf(table, name);
  const keys = requireUnique(table, columns);
  // PostgreSQL uses every unique index over these columns as an arbiter, and fails if one of them is deferrable.
  const deferrable = keys.find((key) => key.deferrable);
  if (deferrable !== undefined) {
    const reason = `${listed(columns)} is no key for upsert: the constraint ${deferrable.name} is deferrable`;
    throw refusal('KEY_NOT_UNIQUE', `${reason}; ${keysOf(table)}`, table);
  }
  for (const name of columns) {
    const value = values === undefined ? undefined : ownValue(values, name);
    if (value === undefined) {
      const reason = `upsert needs a value for each column of its conflictKey ${listed(columns)}: ${quoteForMessage(name)} is missing`;
      throw refusal('KEY_REQUIRED', reason, table, { column: name });
    }
    if (value === null) throw nullInKey(table, name);
  }
  return columns;
}

function checkValues(request: ParsedRequest, table: Table): void {
  const values = requireValues(request, table);
  for (const [name, value] of Object.entries(values)) checkFits(table, writableColumnOf(table, name), value);
}

function checkIncrements(request: ParsedRequest, table: Table): void {
  for (const [name, value] of Object.entries(requireValues(request, table))) {
    const column = writableColumnOf(table, name);
    if (!INCREMENTABLE.includes(column.kind)) {
      throw invalidValue(table, name, `is of type ${column.type}; increment takes numeric columns only`);
    }
    if (value === null) throw invalidValue(table, name, 'is to be increased by a number, not by null');
    if (request.key !== undefined && Object.hasOwn(request.key, name)) {
      throw invalidValue(table, name, 'is part of the key and cannot be increased by the same operation');
    }
    checkFits(table, column, value);
  }
}

function requireValues({ operationType, values }: ParsedRequest, table: Table): GivenRow {
  if (values !== undefined && Object.keys(values).length > 0) return values;
  throw refusal('VALUES_REQUIRED', `${operationType} needs values for one column at least`, table);
}

function columnOf(table: Table, name: string): Column {
  const column = table.columns.get(name);
  if (column !== undefined) return column;
  throw refusal('UNKNOWN_COLUMN', `${table.id} has no column ${quoteForMessage(name)}`, table, { column: name });
}

function writableColumnOf(table: Table, name: string): Column {
  const column = columnOf(table, name);
  if (column.writable) return column;
  const reason = `Column ${quoteForMessage(name)} of ${table.id} is generated by the database: leave it out of values`;
  throw refusal('COLUMN_NOT_WRITABLE', reason, table, { column: name });
}

function checkFits(table: Table, column: Column, value: GivenValue): void {
  const fault = checkValue(column, value);
  if (fault === undefined) return;
  throw refusal(fault.code, `Column ${quoteForMessage(column.name)} of ${table.id} ${fault.reason}`, table, {
    column: column.name,
  });
}

/** @returns all unique keys over exactly these columns. */
function requireUnique(table: Table, columns: readonly string[]): UniqueKey[] {
  const keys = table.uniqueKeys.filter(
    (key) => key.columns.length === columns.length && key.columns.every((column) => columns.includes(column)),
  );
  if (keys.length > 0) return keys;
  throw refusal('KEY_NOT_UNIQUE', `${listed(columns)} is no primary key or unique constraint; ${keysOf(table)}`, table);
}

function keysOf(table: Table): string {
  const keys = table.uniqueKeys.map((key) => listed(key.columns));
  return keys.length === 0 ? `${table.id} has no unique keys` : `the unique keys of ${table.id} are ${keys.join(', ')}`;
}

function listed(columns: readonly string[]): string {
  return `(${columns.join(', ')})`;
}

function nullInKey(table: Table, column: string): ServiceError {
  return invalidValue(table, column, 'is part of the key and cannot be null');
}

function invalidValue(table: Table, column: string, reason: string): ServiceError {
  return refusal('INVALID_VALUE', `Column ${quoteForMessage(column)} of ${table.id} ${reason}`, table, { column });
}

function refusal(code: ErrorCode, message: string, table: Table, details?: Record<string, string>): ServiceError {
  return new ServiceError(code, message, { target: table.id, ...details });
}
