import type { SqlStatement } from '../database/sql.js';

/** `settled`: operations in the chunks of the last `RATE_WINDOW_SECONDS`. */
export interface BacklogRow {
  pending: number;
  delayed: number;
  settled: number;
}

export const RATE_WINDOW_SECONDS = 10;

/**
 * What waits, exactly up to `limit` rows of each table, beyond which nobody needs to know: counting stops there. The planner's
 * own estimate (`reltuples`) would be free, but is minutes old on a queue that fills in seconds.
 */
export function countBacklog(limit: number): SqlStatement {
  return {
    name: 'batch.count_backlog',
    text: `
      select
        (select count(*)::int from (select from batch.pending limit $1::int8) p) as pending,
        (select count(*)::int from (select from batch.delayed limit $1::int8) d) as delayed,
        (select coalesce(sum(operations), 0)::int from batch.chunks
         where settled_at > now() - make_interval(secs => $2::int)) as settled`,
    values: [limit, RATE_WINDOW_SECONDS],
  };
}
