import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The queue: an operation never changes, its place says its state.
 *
 * `operations` is written once. An operation is pending while `pending` has it, scheduled while `delayed` has it; what is
 * not an ordinary success has a row in `outcomes`; all else is completed, by the chunk whose `seqs` hold it. So settling a
 * chunk deletes narrow rows and inserts one, and nothing wide is ever updated.
 */
export class CreateQueue1763700000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const statement of UP) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await runner.query(statement);
  }
}

const UP = [
  `create table batch.operations (
    seq bigint generated always as identity constraint operations_pkey primary key,
    id uuid not null,
    type text not null,
    target text not null,
    key json,
    "values" json,
    on_conflict text,
    conflict_key text[],
    must_exist boolean not null default false,
    priority smallint not null default 0,
    run_at timestamptz,
    source text,
    lane smallint not null,
    created_at timestamptz not null default now(),
    constraint operations_id_key unique (id),
    constraint operations_type_check check (type in ('insert', 'upsert', 'update', 'increment', 'delete')),
    constraint operations_priority_check check (priority between 0 and 9)
  )`,

  // Claims walk this key in order: one index serves the claim and the delete. Every row is 16 bytes of data.
  `create table batch.pending (
    seq bigint not null,
    priority smallint not null,
    lane smallint not null,
    attempts smallint not null default 0,
    size_kb smallint not null default 1,
    constraint pending_pkey primary key (priority, seq)
  )`,
  // Every row lives for one chunk: the default threshold of a fifth of the table would let dead rows pile up.
  `alter table batch.pending set (
    autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0,
    autovacuum_vacuum_insert_scale_factor = 0.0, autovacuum_vacuum_insert_threshold = 100000,
    autovacuum_analyze_scale_factor = 0.0, autovacuum_analyze_threshold = 50000
  )`,

  // Drawn from whenever operations come back with an old sequence number: claims then begin at the start again.
  `create sequence batch.reentries`,
  // A fresh sequence shows the value that its first draw gives.
  `select nextval('batch.reentries')`,

  `create table batch.delayed (
    seq bigint not null constraint delayed_pkey primary key,
    available_at timestamptz not null,
    priority smallint not null,
    lane smallint not null,
    attempts smallint not null default 0,
    size_kb smallint not null default 1,
    reason text not null default 'scheduled'
  )`,
  `create index delayed_available_at_idx on batch.delayed (available_at)`,

  `create table batch.chunks (
    id bigint generated always as identity constraint chunks_pkey primary key,
    seqs int8multirange not null,
    worker text not null,
    operations integer not null,
    completed integer not null,
    failed integer not null,
    groups integer not null,
    statements integer not null,
    fallback boolean not null,
    announce boolean not null,
    started_at timestamptz not null,
    settled_at timestamptz not null,
    duration_ms integer not null,
    notified_at timestamptz
  )`,
  `create index chunks_seqs_idx on batch.chunks using gist (seqs)`,
  `create index chunks_settled_at_idx on batch.chunks (settled_at)`,
  `create index chunks_unannounced_idx on batch.chunks (id) where announce and notified_at is null`,

  `create table batch.outcomes (
    seq bigint not null constraint outcomes_pkey primary key,
    status text not null,
    rows_affected integer not null,
    attempts smallint not null,
    code text,
    message text,
    constraint_name text,
    column_name text,
    sql_state text,
    chunk_id bigint,
    settled_at timestamptz not null default now(),
    constraint outcomes_status_check check (status in ('completed', 'failed', 'cancelled'))
  )`,
  `create index outcomes_status_idx on batch.outcomes (status, seq)`,
  `create index outcomes_chunk_id_idx on batch.outcomes (chunk_id)`,

  // For people: every operation with what became of it.
  `create view batch.batch_operations as
  select o.seq, o.id, o.type, o.target, o.key, o."values", o.on_conflict, o.conflict_key, o.must_exist, o.priority,
    o.run_at, o.source, o.lane, o.created_at,
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
    x.code, x.message, x.constraint_name, x.column_name, x.sql_state,
    coalesce(x.chunk_id, c.id) as chunk_id,
    coalesce(x.settled_at, c.settled_at) as settled_at,
    d.available_at
  from batch.operations o
  left join batch.pending p on p.priority = o.priority and p.seq = o.seq
  left join batch.delayed d on d.seq = o.seq
  left join batch.outcomes x on x.seq = o.seq and p.seq is null and d.seq is null
  left join lateral (
    select c.id, c.settled_at from batch.chunks c
    where c.seqs @> o.seq and x.seq is null and p.seq is null and d.seq is null
    order by c.id desc limit 1
  ) c on true`,
  `comment on view batch.batch_operations is 'Every operation with its status, error, chunk and times.'`,
  `comment on table batch.operations is 'What was asked. Written once; the other tables say what became of it.'`,
  `comment on table batch.pending is 'Operations that wait for the next chunk.'`,
  `comment on table batch.delayed is 'Operations that wait for their time.'`,
  `comment on table batch.outcomes is 'What is not an ordinary success: failed, cancelled, no row matched, more than one attempt.'`,
  `comment on table batch.chunks is 'One row for each committed chunk: which operations, how many statements, how long.'`,
];

const DOWN = [
  'drop view batch.batch_operations',
  'drop table batch.outcomes, batch.chunks, batch.delayed, batch.pending, batch.operations',
  'drop sequence batch.reentries',
];
