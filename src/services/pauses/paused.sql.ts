import type { SqlStatement } from '../../interfaces/sql.js';

/** The lanes in which nothing may be executed, for a query. A table pauses the lane in which it is now. */
export const PAUSED_LANES = `
        select p.name::int2 as lane from batch.pauses p where p.kind = 'lane' and not p.drain
        union
        select l.lane from batch.pauses p join batch.lanes l on l.target = p.name where p.kind = 'target' and not p.drain`;

/** Whether the operations of any source may not be executed, for a query. */
export const ANY_SOURCE_IS_PAUSED = `exists (select from batch.pauses p where p.kind = 'source' and not p.drain)`;

export interface PausedOperationRow {
  seq: number;
  source: string;
}

/** Those of the operations whose source is paused. */
export function selectPausedOperations(seqs: readonly number[]): SqlStatement {
  return {
    name: 'batch.select_paused_operations',
    text: `
      select o.seq::float8 as seq, o.source
      from unnest($1::int8[]) c(seq)
      join batch.operations o on o.seq = c.seq
      join batch.pauses p on p.kind = 'source' and p.name = o.source and not p.drain`,
    values: [seqs],
  };
}
