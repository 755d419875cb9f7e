import type { SqlStatement } from '../../interfaces/sql.js';
import type { PreparedMatch } from './operation-match.js';
import { Values } from './statement-values.js';

export interface BoundsRow {
  /** No match has a smaller sequence number. Null: unknown. */
  first: string | null;
  /** No match has a larger one. */
  last: string | null;
}

/** By how much the times of operations with neighbouring sequence numbers may be out of order. */
const SLACK = `interval '1 minute'`;
/** With more entries in the time, reading them costs more than it saves. */
const READ_ENTRIES = 20_000;

/**
 * Bounds the sequence numbers of matches by the times of the filter. An operation gets its number and its time at the
 * same moment, so the time is found by halving. What was settled in a short time is read.
 */
export function selectBounds(match: PreparedMatch): SqlStatement {
  const values = new Values();
  const { createdAfter, createdBefore, settledAfter, settledBefore } = match;
  const settled = [
    ...(settledAfter === undefined ? [] : [`settled_at >= ${values.add(settledAfter, 'timestamptz')}`]),
    ...(settledBefore === undefined ? [] : [`settled_at < ${values.add(settledBefore, 'timestamptz')}`]),
  ].join(' and ');
  const time = (value: string): string => values.add(value, 'timestamptz');
  const firsts = createdAfter === undefined ? [] : [firstCreated(`${time(createdAfter)} - ${SLACK}`)];
  // What was settled before a moment was created before it.
  const lasts = [createdBefore, settledBefore].flatMap((before) =>
    before === undefined ? [] : [firstCreated(`${time(before)} + ${SLACK}`)],
  );
  if (settled !== '') {
    firsts.push('(select first from settled)');
    lasts.push('(select last from settled)');
  }
  return {
    text: `
      with ${settled === '' ? 'settled as (select 1)' : settledBounds(settled, match)}
      select greatest(${[...firsts, 'null::int8'].join(', ')})::text as first, least(${[...lasts, 'null::int8'].join(', ')})::text as last`,
    values: values.list,
  };
}

/** The smallest sequence number whose operation was created at this time or later. */
function firstCreated(time: string): string {
  return `(
        with recursive halves(low, high) as (
          select (select min(seq) from batch.operations), (select max(seq) + 1 from batch.operations)
          union all
          select case when found.created_at < ${time} then found.seq + 1 else h.low end,
            case when found.created_at < ${time} then h.high else (h.low + h.high) / 2 end
          from halves h cross join lateral (
            select o.seq, o.created_at from batch.operations o where o.seq >= (h.low + h.high) / 2 order by o.seq limit 1
          ) found
          where h.low < h.high
        )
        select max(low) from halves
      )`;
}

/** Completed operations have their time in the chunk, all others in the outcome. */
function settledBounds(condition: string, { status }: PreparedMatch): string {
  const ofChunks = `
        select min(lower(seqs)) as first, max(upper(seqs)) as last, count(*) as entries
        from (select seqs from batch.chunks where ${condition} order by settled_at limit ${READ_ENTRIES + 1}) c`;
  const ofOutcomes = `
        select min(seq), max(seq), count(*)
        from (select seq from batch.outcomes where ${condition} order by settled_at limit ${READ_ENTRIES + 1}) x`;
  const parts = status === 'failed' || status === 'cancelled' ? [ofOutcomes] : [ofChunks, ofOutcomes];
  return `settled as materialized (
        select coalesce(min(first), 0) as first, coalesce(max(last), 0) as last from (${parts.join(' union all ')}) s(first, last, entries)
        having max(entries) <= ${READ_ENTRIES}
      )`;
}
