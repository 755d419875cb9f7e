import { CommitRefusedError } from '../../batch/sql/pool-database.js';
import { isLostConnection } from '../../interfaces/lost-connection.js';
import { classifySqlState, type SqlStateKind } from '../../batch/sql/sql-states.js';
import { TransientError } from '../errors/transient-error.js';
import { driverErrorOf, SQL_STATES, sqlStateOf } from './sql-state.js';

/**
 * What a failure means. Only this file and `sql-states.ts` decide it. Code with a narrower question asks one of the
 * functions below. `bug`: PostgreSQL did not send it and the connection is not lost, so the service itself has failed.
 */
export type FailureKind = SqlStateKind | 'bug';

/**
 * Connection exception; insufficient resources; operator intervention (shutdown, crash, starting up) except a cancelled
 * query; failover.
 */
const SERVER_STATES = /^(08|53|57P|25006)/;

const connectFailures = new WeakSet<Error>();

/** Records an error of a connection that was not ready yet. No operation is to blame, whatever its SQLSTATE. */
export function noteConnectFailure(error: Error): void {
  connectFailures.add(error);
}

export function classifyFailure(error: unknown): FailureKind {
  if (isConnectFailure(error) || error instanceof TransientError || error instanceof CommitRefusedError)
    return 'transient';
  const state = sqlStateOf(error);
  if (state !== undefined) return classifySqlState(state);
  return isLostConnection(driverErrorOf(error)) ? 'transient' : 'bug';
}

/**
 * True when the server could not be reached, does not accept connections now, or ended the connection. Then no
 * statement is to blame, and waiting may help. A wrong password does not count.
 */
export function isConnectionFault(error: unknown): boolean {
  const state = sqlStateOf(error);
  if (state === undefined) return isLostConnection(driverErrorOf(error));
  // PostgreSQL sends it while a database does not allow connections.
  if (state === SQL_STATES.objectNotInPrerequisiteState) return isConnectFailure(error);
  return SERVER_STATES.test(state);
}

/** True for a deadlock or a serialization failure: nothing of the transaction is stored. */
export const isRolledBack = (error: unknown): boolean => sqlStateOf(error)?.startsWith('40') ?? false;

export const isUniqueViolation = (error: unknown): boolean => sqlStateOf(error) === SQL_STATES.uniqueViolation;

export const isLockNotAvailable = (error: unknown): boolean => sqlStateOf(error) === SQL_STATES.lockNotAvailable;

/** True when a statement was cancelled, usually because it took longer than the time-out. */
export const isCanceled = (error: unknown): boolean => sqlStateOf(error) === SQL_STATES.queryCanceled;

export const isUndefinedTable = (error: unknown): boolean => sqlStateOf(error) === SQL_STATES.undefinedTable;

/**
 * True when a statement with this SQLSTATE may have been built for a table that was altered since. The service does not
 * remember privileges, so a missing privilege does not count.
 */
export const mayBeStale = (state: string): boolean =>
  state !== SQL_STATES.insufficientPrivilege && (state.startsWith('42') || state.startsWith('0A'));

function isConnectFailure(error: unknown): boolean {
  return error instanceof Error && connectFailures.has(error);
}
