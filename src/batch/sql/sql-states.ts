/**
 * What an error of PostgreSQL means for the rows of its statement.
 *
 * - `transient`: it says nothing about any row (the server, the connection, other transactions). Try again.
 * - `systemic`: the statement itself cannot run (no such column, no privilege). This is true for every row of the
 *   statement.
 * - `operation`: the fault of the row, or of the user's code that runs for this row.
 * - `unknown`: the row or the server may be at fault. No row is blamed without a proof.
 */
export type SqlStateKind = 'transient' | 'systemic' | 'operation' | 'unknown';

/**
 * Every class of https://www.postgresql.org/docs/current/errcodes-appendix.html. A class that is not listed is
 * `unknown`: a newer server, an extension, or a user's function may raise any five characters.
 */
export const SQL_STATE_CLASSES: ReadonlyMap<string, SqlStateKind> = new Map([
  ['00', 'unknown'], // successful completion
  ['01', 'unknown'], // warning
  ['02', 'unknown'], // no data
  ['03', 'unknown'], // SQL statement not yet complete
  ['08', 'transient'], // connection exception; poolers also raise it for reasons of their own
  ['09', 'operation'], // triggered action exception
  ['0A', 'systemic'], // feature not supported
  ['0B', 'unknown'], // invalid transaction initiation
  ['0F', 'operation'], // locator exception
  ['0L', 'systemic'], // invalid grantor
  ['0P', 'systemic'], // invalid role specification
  ['0Z', 'operation'], // diagnostics exception, in a function
  ['10', 'operation'], // XQuery error
  ['20', 'operation'], // case not found
  ['21', 'systemic'], // cardinality violation: a statement that runs without rows is halved until one row is left
  ['22', 'operation'], // data exception
  ['23', 'operation'], // integrity constraint violation
  ['24', 'operation'], // invalid cursor state: the service has no cursors, so a user's function raised it
  ['25', 'transient'], // invalid transaction state: read only, aborted, idle for too long, running for too long
  ['26', 'transient'], // no such prepared statement: the statement that should have prepared it failed
  ['27', 'operation'], // triggered data change violation
  ['28', 'systemic'], // invalid authorization specification
  ['2B', 'operation'], // dependent objects still exist, in a function
  ['2D', 'operation'], // invalid transaction termination, in a function
  ['2F', 'operation'], // SQL routine exception
  ['34', 'operation'], // invalid cursor name
  ['38', 'operation'], // external routine exception
  ['39', 'operation'], // external routine invocation exception
  ['3B', 'transient'], // savepoint exception: an earlier statement of the transaction failed
  ['3D', 'systemic'], // invalid catalog name
  ['3F', 'systemic'], // invalid schema name
  ['40', 'transient'], // transaction rollback: serialization failure, deadlock
  ['42', 'systemic'], // syntax error or access rule violation
  ['44', 'operation'], // WITH CHECK OPTION violation
  ['53', 'transient'], // insufficient resources: disk full, out of memory, too many connections
  ['54', 'unknown'], // program limit exceeded: a row is too large for its index, or transaction ids run out
  ['55', 'unknown'], // object not in prerequisite state
  ['57', 'transient'], // operator intervention: time-out, shutdown, crash
  ['58', 'transient'], // system error
  ['72', 'transient'], // snapshot too old, before PostgreSQL 17
  ['F0', 'transient'], // configuration file error
  ['HV', 'unknown'], // foreign data wrapper error
  ['P0', 'operation'], // PL/pgSQL error: RAISE and ASSERT in users' functions
  ['XX', 'transient'], // internal error, data or index corrupted: never the fault of an operation
]);

/** Conditions that mean something else than the rest of their class. */
export const SQL_STATE_EXCEPTIONS: ReadonlyMap<string, SqlStateKind> = new Map([
  ['25001', 'systemic'], // a command that cannot run in a transaction, in a function
  ['42P05', 'transient'], // the prepared statement already exists: the statement that should have removed it failed
  ['54001', 'operation'], // statement too complex: values nested too deep, a trigger without end
  ['54011', 'systemic'], // too many columns
  ['54023', 'systemic'], // too many arguments
  ['55006', 'transient'], // another session uses the object
  ['55P02', 'systemic'], // a parameter that cannot be changed now
  ['55P03', 'transient'], // lock not available
  ['55P04', 'transient'], // an enum value that is not committed yet
  ['HV001', 'transient'], // out of memory
  ['HV00L', 'transient'], // unable to create execution
  ['HV00M', 'transient'], // unable to create reply
  ['HV00N', 'transient'], // unable to establish connection
  ['HV014', 'transient'], // too many handles
]);

/** @param state five characters, as PostgreSQL sent them with a failed statement */
export function classifySqlState(state: string): SqlStateKind {
  return SQL_STATE_EXCEPTIONS.get(state) ?? SQL_STATE_CLASSES.get(state.slice(0, 2)) ?? 'unknown';
}

/** All of the above as JSON, for `createExecutePlan`. */
export const SQL_STATE_KINDS = JSON.stringify(Object.fromEntries([...SQL_STATE_CLASSES, ...SQL_STATE_EXCEPTIONS]));
