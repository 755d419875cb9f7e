import { isLostConnection } from '../../interfaces/lost-connection.js';
import { classifySqlState } from './sql-states.js';

/** The fields of node-postgres' DatabaseError that say what PostgreSQL refused. */
export interface DatabaseErrorFields {
  code?: string;
  message: string;
  detail?: string;
  constraint?: string;
  column?: string;
  table?: string;
  schema?: string;
}

/** For `skip` of a step. True when PostgreSQL refuses the values of a row. Another row may be fine. */
export function isDataError(error: unknown): boolean {
  const state = sqlStateOf(error);
  return state !== undefined && classifySqlState(state) === 'operation';
}

/**
 * For `retry` of a step. True when the same statement may succeed later: a deadlock, a lock that was not given in time,
 * a lost connection.
 */
export function isTransientDatabaseError(error: unknown): boolean {
  const state = sqlStateOf(error);
  if (state !== undefined) return classifySqlState(state) === 'transient';
  return isLostConnection(error);
}

/** True when the statement itself cannot run: no such table, no right, a wrong type. It says nothing about a row. */
export function isSystemicError(error: unknown): boolean {
  const state = sqlStateOf(error);
  return state !== undefined && classifySqlState(state) === 'systemic';
}

/** True when a statement was given the same row of the table twice. */
export const isRepeatedKey = (error: unknown): boolean => sqlStateOf(error) === '21000';

/** Undefined when PostgreSQL did not send the error. */
function sqlStateOf(error: unknown): string | undefined {
  // Only errors of the server have a severity.
  if (!(error instanceof Error) || !('severity' in error) || !('code' in error)) return undefined;
  return String(error.code);
}
