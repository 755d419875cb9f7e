import type { SqlStatement } from '../../interfaces/sql.js';

/** One row for each operation, in order. A refusal is an error with SQLSTATE BS100, and stores nothing of the call. */
export const createOperations = (requests: string): SqlStatement => ({
  text: `
    select id, status, created
    from batch.create_operations($1::jsonb)`,
  values: [requests],
});
