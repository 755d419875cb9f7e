import type { SqlStatement } from '../../interfaces/sql.js';

/** One row for each operation, in order. A refusal is an error with SQLSTATE BS100, and stores nothing of the call. */
export const createOperations = (requests: string): SqlStatement => ({
  text: `
    select r->>'id' as id, r->>'status' as status, (r->>'created')::bool as created
    from pg_catalog.jsonb_array_elements(batch.create_operations($1::jsonb)->'results') with ordinality e(r, n)
    order by n`,
  values: [requests],
});
