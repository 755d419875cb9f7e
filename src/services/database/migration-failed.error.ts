import { cutText } from '../errors/cut-text.js';
import { classifyFailure, isConnectionFault } from './classify-failure.js';
import type { DatabaseErrorFields } from '../../batch/sql/database-errors.js';
import { driverErrorOf, SQL_STATES, sqlStateOf } from './sql-state.js';

const LONGEST_STATEMENT = 200;

interface MigrationFailure {
  cause: unknown;
  /** The statement that failed. */
  statement?: string;
  /** Default: chosen by the SQLSTATE of the cause. */
  cure?: string;
  /** The role that migrated. */
  username: string;
}

/** Says in one line which migration failed, at which statement, what PostgreSQL said, and what to do. */
export class MigrationFailedError extends Error {
  /** @param what such as `migration InitialSchema1764800000000` */
  constructor(what: string, { cause, statement, cure, username }: MigrationFailure) {
    const at = statement === undefined ? '' : ` at the statement "${cutText(oneLine(statement), LONGEST_STATEMENT)}"`;
    super(`${what} failed${at}: ${reasonOf(cause)}. ${cure ?? cureOf(cause, username)}`, { cause });
    this.name = 'MigrationFailedError';
  }
}

function reasonOf(cause: unknown): string {
  const error = driverErrorOf(cause) as DatabaseErrorFields & { hint?: string };
  return [error.message, error.detail, error.hint].flatMap((text) => (text ? [withoutStop(text)] : [])).join('. ');
}

function cureOf(cause: unknown, username: string): string {
  if (classifyFailure(cause) === 'bug') return 'This is a bug of the service: report it with the stack trace';
  if (isConnectionFault(cause) && sqlStateOf(cause) !== SQL_STATES.readOnlyTransaction) {
    return 'The connection was lost: look at the log of PostgreSQL, then migrate again; that continues with this migration';
  }
  switch (sqlStateOf(cause)) {
    case SQL_STATES.insufficientPrivilege:
      return (
        `The user "${username}" lacks a right: set DB_MIGRATION_USERNAME to a role that may create what migrations create, ` +
        'as scripts/roles.sql does, then migrate again'
      );
    case SQL_STATES.readOnlyTransaction:
      return 'The server is probably a standby: set DB_HOST to the primary, then migrate again';
    case SQL_STATES.duplicateTable:
    case SQL_STATES.duplicateObject:
      return 'Schema batch contains an object that no migration has created: remove or rename it, then migrate again';
    case SQL_STATES.undefinedObject:
      return 'If the role of DB_USERNAME is missing, create it with scripts/roles.sql, then migrate again';
    case SQL_STATES.lockNotAvailable:
      return 'Another session has locked what the migration needs: wait until that ends, then migrate again';
    case SQL_STATES.queryCanceled:
      return 'Somebody cancelled the statement: migrate again';
    default:
      return 'Earlier migrations are applied: remove the cause, then migrate again; that continues with this migration';
  }
}

const oneLine = (text: string): string => text.replace(/\s+/g, ' ').trim();
const withoutStop = (text: string): string => text.replace(/\.$/, '');
