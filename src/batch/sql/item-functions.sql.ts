import { createExecutePlan } from './execute-plan.sql.js';

/** The names of the functions by which writers isolate items. @param schema the engine's schema, quoted */
export const itemFunctions = (schema: string) => ({
  /** See `createExecutePlan`. */
  executeItems: `${schema}.execute_items`,
  /** The source of the rows of its statements. */
  itemRows: `${schema}.item_rows`,
});

/** Creates both. PostgreSQL inlines `item_rows`. `offset 0` keeps it from computing a row once for each column. */
export function createItemFunctions(schema: string): string[] {
  const { executeItems, itemRows } = itemFunctions(schema);
  return [
    `create or replace function ${itemRows}(seqs int8[], given jsonb[])
      returns table (ord int8, cells jsonb) language sql stable as $function$
        select u.ord, u.given from unnest((select $2)) with ordinality u(given, ord) offset 0
      $function$`,
    createExecutePlan({ name: executeItems, rows: itemRows }),
  ];
}
