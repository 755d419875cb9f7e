import { createExecutePlan } from './execute-plan.sql.js';

/** The functions by which writers isolate items. A role that runs jobs needs the right to execute them. */
export const ITEM_FUNCTIONS = ['execute_items', 'item_rows'] as const;

/** Their names with the schema. @param schema the engine's schema, quoted */
export const itemFunctions = (schema: string) => ({
  /** See `createExecutePlan`. */
  executeItems: `${schema}.${ITEM_FUNCTIONS[0]}`,
  /** The source of the rows of its statements. */
  itemRows: `${schema}.${ITEM_FUNCTIONS[1]}`,
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
