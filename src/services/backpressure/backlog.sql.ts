import type { SqlStatement } from '../../interfaces/sql.js';
import type { Backlog } from './demand.js';

export interface BacklogRow {
  operations: number;
  /** Operations in the chunks of the last `RATE_WINDOW_SECONDS`. */
  settled: number;
}

export const RATE_WINDOW_SECONDS = 10;

/** The parties beyond this number have too few operations to use up their share. */
const MOST_PARTIES = 1000;

const WAITING = `reason in ('retry', 'blocked', 'paused')`;

const COUNT_OF: Readonly<Record<Backlog, string>> = {
  pending: `(select count(*)::int from (select from batch.pending limit $1::int8) p)
          + (select count(*)::int from (select from batch.delayed where ${WAITING} limit $1::int8) d)`,
  scheduled: `(select count(*)::int from (select from batch.delayed where reason = 'scheduled' limit $1::int8) d)`,
};

/**
 * The exact number of waiting operations, up to `limit`. The count stops there, because larger numbers make no
 * difference. The planner's estimate (`reltuples`) would cost nothing, but it is minutes old, and a queue may fill in
 * seconds. Deferred, blocked and paused operations count as pending, because they will be pending again.
 */
export function countBacklog(backlog: Backlog, limit: number): SqlStatement {
  return {
    name: `batch.count_${backlog}`,
    text: `
      select ${COUNT_OF[backlog]} as operations,
        (select coalesce(sum(operations), 0)::int from batch.chunks
         where settled_at > now() - make_interval(secs => $2::int)) as settled`,
    values: [limit, RATE_WINDOW_SECONDS],
  };
}

export interface PartyRow {
  party: number;
  operations: number;
}

const ROWS_OF: Readonly<Record<Backlog, string>> = {
  pending: `select party from batch.pending union all select party from batch.delayed where ${WAITING}`,
  scheduled: `select party from batch.delayed where reason = 'scheduled'`,
};

/** The parties with the most operations in a backlog. */
export function countParties(backlog: Backlog): SqlStatement {
  return {
    name: `batch.count_parties_of_${backlog}`,
    text: `
      select party, count(*)::int as operations from (${ROWS_OF[backlog]}) w
      group by party order by count(*) desc limit ${MOST_PARTIES}`,
  };
}
