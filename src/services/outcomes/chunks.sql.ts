import type { IListChunksQuery } from '../../interfaces/chunk.js';
import type { SqlStatement } from '../../interfaces/sql.js';

export type ChunkFilter = Pick<IListChunksQuery, 'fallback' | 'failed' | 'worker'>;

export interface ChunkPageRow {
  ids: string[];
  /** How many chunks were examined, and the oldest of them. */
  walked: number;
  floor: string | null;
}

/**
 * The ids of a page of chunks below `cursor`, newest first. It examines `window` chunks at most. Chunks with failures
 * and those with a fallback have indexes of their own, so that rare ones are found at once.
 */
export function selectChunkPage(filter: ChunkFilter, cursor: string, limit: number, window: number): SqlStatement {
  const { fallback = null, failed = null, worker = null } = filter;
  return {
    text: `
      with walked as materialized (
        select id, worker, failed, fallback from batch.chunks
        where id < $1::int8 ${failed === true ? 'and failed > 0' : ''} ${fallback === true ? 'and fallback' : ''}
        order by id desc limit $2::int
      ),
      found as (
        select id from walked
        where ($4::boolean is null or fallback = $4) and ($5::boolean is null or (failed > 0) = $5)
          and ($6::text is null or worker = $6)
        order by id desc limit $3::int
      )
      select (select coalesce(array_agg(id::text order by id desc), '{}') from found) as ids, count(*)::int as walked,
        min(id)::text as floor
      from walked`,
    values: [cursor, window, limit, fallback, failed, worker],
  };
}

/** The operations of a group after `cursor`, in the order in which they were accepted: see `encodeMembers`. */
export function selectGroupMembers(id: string, group: number, cursor: string, limit: number): SqlStatement {
  return {
    text: `
      select o.seq::text, o.id, m.member >= 128 as folded
      from (
        select s.seq, get_byte(c.members, (row_number() over (order by s.seq))::int - 1) as member
        from batch.chunks c
        cross join unnest(c.seqs) r
        cross join generate_series(lower(r), upper(r) - 1) s(seq)
        where c.id = $1::int8 and c.members is not null
      ) m
      join batch.operations o on o.seq = m.seq
      where m.member % 128 = $2::int + 1 and m.seq > $3::int8
      order by m.seq limit $4::int`,
    values: [id, group, cursor, limit],
  };
}
