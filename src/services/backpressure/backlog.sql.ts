import type { SqlStatement } from '../database/sql.js';
import type { Backlog } from './demand.js';

/** `settled`: operations in the chunks of the last `RATE_WINDOW_SECONDS`. */
export interface BacklogRow extends Record<Backlog, number> {
  settled: number;
}

export const RATE_WINDOW_SECONDS = 10;

/** More parties than these have too little each to be refused for it. */
const MOST_PARTIES = 1000;

const WAITING = `reason in ('retry', 'behind')`;

/**
 * What waits, exactly up to the limit and one more, beyond which nobody needs to know: counting stops there. The planner's own estimate
 * (`reltuples`) would be free, but is minutes old on a queue that fills in seconds. What is to be tried again, and what waits behind it,
 * counts for what is pending: it was, and will be.
 */
export function countBacklog(limits: Readonly<Record<Backlog, number>>): SqlStatement {
  return {
    name: 'batch.count_backlog',
    text: `
      select
        (select count(*)::int from (select from batch.pending limit $1::int8) p)
          + (select count(*)::int from (select from batch.delayed where ${WAITING} limit $1::int8) d) as pending,
        (select count(*)::int from (select from batch.delayed where reason = 'scheduled' limit $2::int8) d) as scheduled,
        (select coalesce(sum(operations), 0)::int from batch.chunks
         where settled_at > now() - make_interval(secs => $3::int)) as settled`,
    values: [mostToCount(limits.pending), mostToCount(limits.scheduled), RATE_WINDOW_SECONDS],
  };
}

const mostToCount = (limit: number): number => (limit === 0 ? 0 : limit + 1);

export interface PartyRow {
  party: number;
  operations: number;
}

const ROWS_OF: Readonly<Record<Backlog, string>> = {
  pending: `select party from batch.pending union all select party from batch.delayed where ${WAITING}`,
  scheduled: `select party from batch.delayed where reason = 'scheduled'`,
};

/** Who has most in a backlog. */
export function countParties(backlog: Backlog): SqlStatement {
  return {
    name: `batch.count_parties_of_${backlog}`,
    text: `
      select party, count(*)::int as operations from (${ROWS_OF[backlog]}) w
      group by party order by count(*) desc limit ${MOST_PARTIES}`,
  };
}
