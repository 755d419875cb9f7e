import pg from 'pg';
import type { DatabaseErrorFields } from './database-errors.js';

/** The error with which a single row was refused, as node-postgres would have thrown it for a statement of that row. */
export function refusedRow({ message, code, detail, constraint, column, table, schema }: DatabaseErrorFields): Error {
  const error = new pg.DatabaseError(message, message.length, 'error');
  error.severity = 'ERROR';
  error.code = code;
  error.detail = detail;
  error.constraint = constraint;
  error.column = column;
  error.table = table;
  error.schema = schema;
  return error;
}
