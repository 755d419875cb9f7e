import type { SqlStatement } from '../../interfaces/sql.js';

/**
 * Records that this worker is alive, and which lanes are closed until which tables have moved. Returns how many workers
 * are alive.
 */
export function beat(
  id: string,
  name: string,
  livesForMs: number,
  { closed, targets }: { closed: readonly number[]; targets: readonly string[] },
): SqlStatement {
  return {
    name: 'batch.beat',
    text: `
      with mine as (
        insert into batch.workers (id, name, closed_lanes, moving_targets) values ($1::uuid, $2, $4::int2[], $5::text[])
        on conflict (id) do update
        set seen_at = now(), closed_lanes = excluded.closed_lanes, moving_targets = excluded.moving_targets
      )
      select 1 + count(*)::int as workers from batch.workers
      where id <> $1::uuid and seen_at > now() - $3::int * interval '1 ms'`,
    values: [id, name, livesForMs, closed, targets],
  };
}

export function leave(id: string): SqlStatement {
  return { text: 'delete from batch.workers where id = $1::uuid', values: [id] };
}

export interface WorkerRow {
  name: string;
  startedAt: Date;
  seenAt: Date;
  alive: boolean;
  chunks: number;
  operations: number;
  lastChunkAt: Date | null;
}

/** The workers that are known, with what they did in the last minute. */
export function selectWorkers(): SqlStatement {
  return {
    name: 'batch.select_workers',
    text: `
      with recent as materialized (
        select worker, count(*)::int as chunks, sum(operations)::int as operations, max(settled_at) as last_at
        from batch.chunks where settled_at > now() - interval '1 minute' group by worker
      )
      select w.name, w.started_at as "startedAt", w.seen_at as "seenAt", w.seen_at > now() - interval '10 seconds' as alive,
        coalesce(r.chunks, 0) as chunks, coalesce(r.operations, 0) as operations, r.last_at as "lastChunkAt"
      from batch.workers w left join recent r on r.worker = w.name
      order by w.started_at, w.id limit 1000`,
  };
}
