import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Keeps with each operation who handed it in. Of operations before it nothing is known. */
export class AddCreatedBy1764200000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('alter table batch.operations add column created_by text');
    await replaceView(runner, ', o.created_by');
  }

  async down(runner: QueryRunner): Promise<void> {
    await replaceView(runner, '');
    await runner.query('alter table batch.operations drop column created_by');
  }
}

async function replaceView(runner: QueryRunner, createdBy: string): Promise<void> {
  await runner.query('drop view batch.batch_operations');
  await runner.query(`create view batch.batch_operations as
  select o.seq, o.id, o.type, o.target, o.key, o."values", o.on_conflict, o.conflict_key, o.must_exist, o.priority,
    o.run_at, o.retry_limit, o.retry_on, o.source, o.lane, o.created_at,
    case
      when p.seq is not null then 'pending'
      when d.seq is not null then 'scheduled'
      else coalesce(x.status, 'completed')
    end as status,
    case
      when p.seq is not null or d.seq is not null then null
      else coalesce(x.rows_affected, 1)
    end as rows_affected,
    coalesce(p.attempts, d.attempts, x.attempts, 1::smallint) as attempts,
    coalesce(x.code, d.code) as code, coalesce(x.message, d.message) as message, x.constraint_name, x.column_name, x.sql_state,
    coalesce(x.chunk_id, c.id) as chunk_id,
    coalesce(x.settled_at, c.settled_at) as settled_at,
    d.available_at, d.reason as wait_reason${createdBy}
  from batch.operations o
  left join batch.pending p on p.lane = o.lane and p.priority = o.priority and p.seq = o.seq
  left join batch.delayed d on d.seq = o.seq
  left join batch.outcomes x on x.seq = o.seq and p.seq is null and d.seq is null
  left join lateral (
    select c.id, c.settled_at from batch.chunks c
    where c.seqs @> o.seq and x.seq is null and p.seq is null and d.seq is null
    order by c.id desc limit 1
  ) c on true`);
  await runner.query(
    `comment on view batch.batch_operations is 'Every operation with its status, error, chunk and times.'`,
  );
}
