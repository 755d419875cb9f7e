import { QueryRunnerAlreadyReleasedError, QueryRunnerProviderAlreadyReleasedError } from 'typeorm';
import { isLostConnection } from '../../interfaces/lost-connection.js';

/**
 * Connection exception; too many connections; shutdown, crash or start of the server. The server does not serve now, and no
 * statement is to blame. A full disk, too little memory and a read-only transaction (53100, 53200, 53400, 25006) may be the
 * fault of one statement or of the settings. Jobs that meet them spend attempts, so that somebody is told.
 *
 * Source: https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const SERVER_STATES = /^(08...|53300|57P..)$/;
/** At the connect there is no statement yet, so insufficient resources are those of the server. */
const CONNECT_STATES = /^(08...|53...|57P..)$/;
/** What the pool says by itself when no connection could be made in time. It has no code. */
const POOL_MESSAGE = /^timeout exceeded when trying to connect/;
const DEEPEST = 8;
/** What TypeORM says of the next statement of a transaction that lost its connection between two statements. */
const RELEASED = [QueryRunnerAlreadyReleasedError, QueryRunnerProviderAlreadyReleasedError];

const connectFailures = new WeakSet<object>();

/** Notes an error of a connection to PostgreSQL that could not be made. Other clients throw errors that look the same. */
export function noteConnectFailure(error: Error): void {
  connectFailures.add(error);
}

/**
 * True when a database could not be reached, does not serve now, or lost the connection. The error or one of its causes
 * says so. An error of another server, such as that of mails, is not such a fault, although its code may be the same.
 */
export function isDatabaseFault(error: unknown): boolean {
  let each = error;
  for (let depth = 0; depth < DEEPEST && each instanceof Error; depth += 1) {
    if (saysSo(each)) return true;
    each = each.cause;
  }
  return false;
}

function saysSo(error: Error): boolean {
  if (RELEASED.some((type) => error instanceof type)) return true;
  // TypeORM puts its own error around that of the driver. `pg` throws its own without TypeORM.
  if ('driverError' in error) return isServerFault(error.driverError) || isLostConnection(error.driverError);
  return (connectFailures.has(error) && !isRefusal(error)) || isServerFault(error) || POOL_MESSAGE.test(error.message);
}

/** A SQLSTATE comes with a severity; the codes of Node do not. */
function isServerFault(error: unknown, states = SERVER_STATES): boolean {
  if (!(error instanceof Error) || !('severity' in error) || !('code' in error)) return false;
  return states.test(String(error.code));
}

/** The server was reached, and refuses: a wrong password, a database that does not exist. Waiting does not help. */
function isRefusal(error: Error): boolean {
  return ('severity' in error && !isServerFault(error, CONNECT_STATES)) || error.message.startsWith('SASL: ');
}
