import type { SqlClient, SqlStatement } from '../../interfaces/sql.js';

/**
 * Sends a command without waiting for it. It travels with the next statement of the transaction. If the command fails,
 * that statement fails too (25P02), and the server's log shows the first error.
 */
export function sendAlong(tx: SqlClient, statement: SqlStatement): void {
  tx.query(statement).catch(() => undefined);
}
