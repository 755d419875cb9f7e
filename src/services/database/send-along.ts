import type { SqlClient } from './sql.js';

/** A command that is not waited for: it travels with the next statement of the transaction, which fails when it does. */
export function sendAlong(tx: SqlClient, text: string): void {
  tx.query({ text }).catch(() => undefined);
}
