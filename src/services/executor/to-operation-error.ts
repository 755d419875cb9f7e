import type { ErrorCode } from '../../interfaces/error.js';
import type { IOperationError } from '../../interfaces/operation.js';
import type { DatabaseErrorFields } from '../../batch/sql/database-errors.js';
import { SQL_STATES } from '../database/sql-state.js';
import type { BoundOperation } from '../planner/bound-operation.js';
import type { Outcome } from '../queue/operation-record.js';
import { stringifyJson } from '../values/exact-json.js';
import { cutText, LONGEST_ERROR_TEXT } from '../errors/cut-text.js';
import { ownValue } from '../values/own-value.js';

/** Source: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const CODES: Readonly<Record<string, ErrorCode>> = {
  '22001': 'VALUE_TOO_LONG',
  '22003': 'VALUE_OUT_OF_RANGE',
  '22007': 'INVALID_VALUE',
  '22008': 'VALUE_OUT_OF_RANGE',
  '22021': 'INVALID_VALUE',
  '22023': 'INVALID_VALUE',
  '22026': 'VALUE_TOO_LONG',
  '22P02': 'INVALID_VALUE',
  '22P03': 'INVALID_VALUE',
  '23001': 'STILL_REFERENCED',
  '23502': 'NOT_NULL_VIOLATION',
  '23505': 'UNIQUE_VIOLATION',
  '23514': 'CHECK_VIOLATION',
  '23P01': 'EXCLUSION_VIOLATION',
  '42501': 'PERMISSION_DENIED',
  '42703': 'UNKNOWN_COLUMN',
  '42804': 'INVALID_VALUE',
  '428C9': 'COLUMN_NOT_WRITABLE',
  '42P01': 'UNKNOWN_TARGET',
  '42P10': 'KEY_NOT_UNIQUE',
  '3F000': 'UNKNOWN_TARGET',
  P0001: 'REJECTED_BY_TRIGGER',
};
/**
 * The detail of these errors shows the whole row, with columns that the caller perhaps may not see. It cannot be
 * parsed, because its language varies.
 */
const SHOWS_ROW: ReadonlySet<string> = new Set([
  SQL_STATES.notNullViolation,
  SQL_STATES.checkViolation,
  SQL_STATES.withCheckOptionViolation,
]);

/** The verdict on an operation that failed alone with this database error. */
export function toOperationError(
  error: DatabaseErrorFields & { unsent?: number },
  operation: BoundOperation,
): IOperationError {
  const detail = error.detail === undefined || SHOWS_ROW.has(error.code ?? '') ? '' : ` (${error.detail})`;
  return {
    code:
      error.code === SQL_STATES.foreignKeyViolation
        ? foreignKeyCode(error, operation)
        : (ownValue(CODES, error.code ?? '') ?? 'DATABASE_ERROR'),
    message: cutText(`${error.message}${detail}`, LONGEST_ERROR_TEXT, error.unsent),
    ...(error.constraint !== undefined && { constraint: error.constraint }),
    ...(error.column !== undefined && { column: error.column }),
    ...(error.code !== undefined && { sqlState: error.code }),
  };
}

/**
 * Both sides of a foreign key have the same SQLSTATE: the table's own constraint misses a parent, or a row of another
 * table still refers to this one. PostgreSQL names the referring table in both cases (or its partition). For a table
 * that refers to itself, the columns that the operation sets decide.
 */
function foreignKeyCode(error: DatabaseErrorFields, { kind, table, valueColumns }: BoundOperation): ErrorCode {
  const own = table.foreignKeys.find(({ name }) => name === error.constraint);
  const namesTable = error.table === table.name && error.schema === table.schema;
  if (kind === 'delete' || (own === undefined && !namesTable)) return 'STILL_REFERENCED';
  if (kind === 'insert' || kind === 'ignore') return 'MISSING_PARENT';
  // It is the table's own constraint, but newer than what is known of the table.
  if (own === undefined) return 'MISSING_PARENT';
  return valueColumns.some(({ name }) => own.childColumns.includes(name)) ? 'MISSING_PARENT' : 'STILL_REFERENCED';
}

/** The verdict on an operation whose statement succeeded. */
export function toOutcome(operation: BoundOperation, rowsAffected: number): Outcome {
  if (rowsAffected === 0 && operation.operation.mustExist) return { status: 'failed', error: rowNotFound(operation) };
  return { status: 'completed', rowsAffected };
}

/** The verdict on an operation that had to find its row. */
export function rowNotFound({ table, operation }: BoundOperation): IOperationError {
  return { code: 'ROW_NOT_FOUND', message: `${table.id} has no row with key ${stringifyJson(operation.key)}` };
}
