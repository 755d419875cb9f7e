import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Lets an operation be tried again later. While it waits in `delayed`, `row_keys` holds what its row is known by, and what
 * follows on the same row waits behind it; `code` and `message` are what it met last.
 */
export class AddOperationRetry1764000100000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const statement of UP) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await runner.query(statement);
  }
}

/** `pending` is found by its whole key, `delayed` by the number; the rest as before. */
const view = (retryColumns: string, waitColumns: string, code: string, message: string): string =>
  `create view batch.batch_operations as
  select o.seq, o.id, o.type, o.target, o.key, o."values", o.on_conflict, o.conflict_key, o.must_exist, o.priority,
    o.run_at, ${retryColumns}o.source, o.lane, o.created_at,
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
    ${code}, ${message}, x.constraint_name, x.column_name, x.sql_state,
    coalesce(x.chunk_id, c.id) as chunk_id,
    coalesce(x.settled_at, c.settled_at) as settled_at,
    d.available_at${waitColumns}
  from batch.operations o
  left join batch.pending p on p.lane = o.lane and p.priority = o.priority and p.seq = o.seq
  left join batch.delayed d on d.seq = o.seq
  left join batch.outcomes x on x.seq = o.seq and p.seq is null and d.seq is null
  left join lateral (
    select c.id, c.settled_at from batch.chunks c
    where c.seqs @> o.seq and x.seq is null and p.seq is null and d.seq is null
    order by c.id desc limit 1
  ) c on true`;

const COMMENT = `comment on view batch.batch_operations is 'Every operation with its status, error, chunk and times.'`;

const UP = [
  'alter table batch.operations add column retry_limit smallint, add column retry_on text[]',
  'alter table batch.delayed add column row_keys bigint[], add column code text, add column message text',
  // What is only scheduled has no row keys, and costs this index nothing.
  'create index delayed_row_keys_idx on batch.delayed using gin (row_keys) with (fastupdate = off)',
  // Each claim looks whether anything waits in its lanes.
  `create index delayed_waiting_idx on batch.delayed (lane) where (reason = any (array['retry'::text, 'behind'::text]))`,
  'alter table batch.chunks add column deferred integer not null default 0',
  'drop view batch.batch_operations',
  view(
    'o.retry_limit, o.retry_on, ',
    ', d.reason as wait_reason',
    'coalesce(x.code, d.code) as code',
    'coalesce(x.message, d.message) as message',
  ),
  COMMENT,
];

const DOWN = [
  'drop view batch.batch_operations',
  view('', '', 'x.code', 'x.message'),
  COMMENT,
  'alter table batch.chunks drop column deferred',
  'drop index batch.delayed_waiting_idx',
  'drop index batch.delayed_row_keys_idx',
  'alter table batch.delayed drop column row_keys, drop column code, drop column message',
  'alter table batch.operations drop column retry_limit, drop column retry_on',
];
