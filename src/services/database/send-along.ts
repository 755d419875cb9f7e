import type { SqlClient, SqlStatement } from './sql.js';

/** A command that is not waited for: it travels with the next statement of the transaction, which fails when it does (25P02: what went wrong first is in the server's log). */
export function sendAlong(tx: SqlClient, statement: SqlStatement): void {
  tx.query(statement).catch(() => undefined);
}
