import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Lets several workers share the queue. A claim begins with a lane, so `pending` is ordered by it: a worker that holds one lane
 * walks nothing of the others. `lanes` says which lane a table is in, for every process alike; `lane_faults` which lanes stand
 * still; `workers` who is alive.
 */
export class AddLanes1764000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const statement of UP) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await runner.query(statement);
  }
}

const UP = [
  'alter table batch.pending drop constraint pending_pkey',
  'alter table batch.pending add constraint pending_pkey primary key (lane, priority, seq)',

  `create table batch.lanes (
    target text not null constraint lanes_pkey primary key,
    lane smallint not null
  )`,
  `insert into batch.lanes (target, lane)
  select distinct on (o.target) o.target, o.lane
  from (select seq from batch.pending union all select seq from batch.delayed) waiting
  join batch.operations o on o.seq = waiting.seq
  order by o.target, o.seq desc`,
  `comment on table batch.lanes is 'The lane of each table that operations named. Tables of one lane may influence one another.'`,

  `create table batch.lane_faults (
    lane smallint not null constraint lane_faults_pkey primary key,
    seq bigint not null,
    failures integer not null,
    sql_state text,
    message text not null,
    worker text not null,
    first_failed_at timestamptz not null default now(),
    next_try_at timestamptz not null,
    parked_at timestamptz
  )`,
  `comment on table batch.lane_faults is 'Lanes that stand still: their first operation met a fault of nobody''s, such as a lock.'`,

  `create table batch.workers (
    id uuid not null constraint workers_pkey primary key,
    name text not null,
    started_at timestamptz not null default now(),
    seen_at timestamptz not null default now()
  )`,
  `comment on table batch.workers is 'Processes that execute operations. One that was not seen for a few seconds is gone.'`,
];

const DOWN = [
  'drop table batch.workers, batch.lane_faults, batch.lanes',
  'alter table batch.pending drop constraint pending_pkey',
  'alter table batch.pending add constraint pending_pkey primary key (priority, seq)',
];
