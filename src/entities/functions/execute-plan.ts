import { createExecutePlan } from '../../batch/sql/execute-plan.sql.js';
import type { DatabaseFunction } from './database-function.js';

/** Executes the plan of a chunk. */
export const EXECUTE_PLAN: DatabaseFunction = {
  name: 'execute_plan',
  version: 5,
  sql: createExecutePlan({
    name: 'batch.execute_plan',
    rows: 'batch.operation_rows',
    check: `  -- The plan of the following query is kept too, and was perhaps made when few operations were stored.
  perform set_config('enable_seqscan', 'off', true);
  -- A statement does not report a number without an operation.
  foreach i in array other_rows loop
    if (given is null or given[i] is null) and not exists (select from batch.operations o where o.seq = seqs[i]) then
      raise exception 'operation % is not in batch.operations', seqs[i] using errcode = 'BS001';
    end if;
  end loop;
  perform set_config('enable_seqscan', walk, true);`,
  }),
};
