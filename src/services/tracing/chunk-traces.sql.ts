import type { SqlStatement } from '../../interfaces/sql.js';

/** Operations of one traced request. */
export interface TracedRow {
  traceparent: string;
  /** Sequence numbers, joined by commas. */
  seqs: string;
  /** Of the only operation. Null when there are several. */
  id: string | null;
}

/** The traces to which these operations belong, in the order of the operations: at most `limit`. */
export function selectTraces(seqs: readonly number[], limit: number): SqlStatement {
  return {
    name: 'batch.select_traces',
    text: `
      select trace_context as traceparent, string_agg(seq::text, ',') as seqs,
        case when count(*) = 1 then min(id::text) end as id
      from batch.operations
      where seq = any($1::int8[]) and trace_context is not null
      group by trace_context
      order by min(seq)
      limit $2::int`,
    values: [seqs, limit],
  };
}
