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
