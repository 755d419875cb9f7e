import type { SqlStatement } from '../../interfaces/sql.js';

/** Records that this worker is alive, and returns how many workers are. */
export function beat(id: string, name: string, livesForMs: number): SqlStatement {
  return {
    name: 'batch.beat',
    text: `
      with mine as (
        insert into batch.workers (id, name) values ($1::uuid, $2) on conflict (id) do update set seen_at = now()
      )
      select 1 + count(*)::int as workers from batch.workers
      where id <> $1::uuid and seen_at > now() - $3::int * interval '1 ms'`,
    values: [id, name, livesForMs],
  };
}

export function leave(id: string): SqlStatement {
  return { text: 'delete from batch.workers where id = $1::uuid', values: [id] };
}
