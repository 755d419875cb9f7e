import type { MigrationInterface, QueryRunner } from 'typeorm';
import { WAITS_FOR, WHY_WAITING } from '../functions/why-waiting.js';

/**
 * The tables of the service. An operation never changes. It is pending while `pending` has its `seq`, and scheduled
 * while `delayed` has it. If it is not an ordinary success, it has a row in `outcomes`. All others are completed, by
 * the chunk whose `seqs` contain them. So settling a chunk deletes narrow rows, inserts one, and updates no wide row.
 *
 * In tables with many rows, columns of fixed length come first: they need no padding, and are found faster.
 */
export class InitialSchema1764800000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    for (const statement of UP) await runner.query(statement);
  }

  down(): Promise<void> {
    return Promise.reject(new Error('This migration cannot be undone: drop schema batch, or restore a backup'));
  }
}

const UP = [
  `create table batch.shapes (
    id int generated always as identity constraint shapes_pkey primary key,
    hash uuid not null,
    by_column boolean not null,
    must_exist boolean not null,
    type text not null,
    target text not null,
    documents smallint[] not null,
    key_columns text[],
    value_columns text[],
    on_conflict text,
    conflict_key text[],
    constraint shapes_hash_key unique (hash),
    constraint shapes_type_check check (type in ('insert', 'upsert', 'update', 'increment', 'delete'))
  )`,
  `comment on table batch.shapes is 'What operations of the same kind have in common. \`operations.values\` holds the values, keys first.'`,

  // `created_at` is the moment at which the row got its `seq`, so both have the same order, but for some milliseconds. The
  // time of a transaction may be much earlier.
  `create table batch.operations (
    seq bigint generated always as identity constraint operations_pkey primary key,
    id uuid not null,
    created_at timestamptz not null default clock_timestamp(),
    shape int not null,
    lane smallint not null,
    priority smallint not null default 0,
    "values" jsonb not null,
    source text,
    created_by text,
    run_at timestamptz,
    retry_limit smallint,
    retry_on text[],
    trace_context text,
    erased_at timestamptz,
    constraint operations_id_key unique (id),
    constraint operations_priority_check check (priority between 0 and 9)
  )`,
  `comment on table batch.operations is 'What was asked. Written once; the other tables say what became of it.'`,

  // Claims read this key in order, so one index serves the claim and the delete. It begins with the lane, so a worker
  // that holds one lane reads nothing of the others. Every row is 24 bytes of data.
  `create table batch.pending (
    seq bigint not null,
    shape int not null,
    party int not null default 0,
    lane smallint not null,
    priority smallint not null,
    attempts smallint not null default 0,
    size_kb smallint not null default 1,
    since timestamptz,
    constraint pending_pkey primary key (lane, priority, seq)
  )`,
  // Every row lives for one chunk: the default threshold of a fifth of the table would let dead rows pile up.
  `alter table batch.pending set (
    autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_cost_delay = 0,
    autovacuum_vacuum_insert_scale_factor = 0.0, autovacuum_vacuum_insert_threshold = 100000,
    autovacuum_analyze_scale_factor = 0.0, autovacuum_analyze_threshold = 50000
  )`,
  `comment on table batch.pending is 'Operations that wait for the next chunk.'`,

  // Its value changes whenever operations come back with an old sequence number. Claims then begin at the start again.
  `create sequence batch.requeue_epoch`,
  // A fresh sequence already shows the value of its first draw, so the first draw would change nothing.
  `select nextval('batch.requeue_epoch')`,

  `create table batch.delayed (
    seq bigint not null constraint delayed_pkey primary key,
    available_at timestamptz not null,
    shape int not null,
    party int not null default 0,
    lane smallint not null,
    priority smallint not null,
    attempts smallint not null default 0,
    size_kb smallint not null default 1,
    reason text not null default 'scheduled',
    paused_source text,
    row_keys bigint[],
    code text,
    message text
  )`,
  // Indexes of their own, so that many scheduled operations that are due do not delay retries.
  `create index delayed_scheduled_idx on batch.delayed (available_at, seq) where (reason = 'scheduled'::text)`,
  `create index delayed_scheduled_lane_idx on batch.delayed (lane, available_at, seq) where (reason = 'scheduled'::text)`,
  `create index delayed_retried_idx on batch.delayed (available_at, seq)
   where (reason = any (array['retry'::text, 'blocked'::text]))`,
  // Each claim looks whether anything waits in its lanes.
  `create index delayed_waiting_idx on batch.delayed (lane)
   where (reason = any (array['retry'::text, 'blocked'::text, 'paused'::text]))`,
  // In the order in which they come back.
  `create index delayed_paused_idx on batch.delayed (paused_source, seq) where (reason = 'paused'::text)`,
  // Scheduled operations have no row keys, so they cost this index nothing.
  'create index delayed_row_keys_idx on batch.delayed using gin (row_keys) with (fastupdate = off)',
  `comment on table batch.delayed is 'Operations that wait for their time.'`,

  // The plan is `json` and not `jsonb`: every chunk writes it, and it is rarely read. A value in it
  // may have any text.
  `create table batch.chunks (
    id bigint generated always as identity constraint chunks_pkey primary key,
    started_at timestamptz not null,
    settled_at timestamptz not null,
    operations integer not null,
    completed integer not null,
    failed integer not null,
    deferred integer not null default 0,
    groups integer not null,
    statements integer not null,
    duration_ms integer not null,
    fallback boolean not null,
    notify boolean not null,
    notified_at timestamptz,
    worker text not null,
    seqs int8multirange not null,
    unrouted text[],
    claim_ms real,
    read_ms real,
    plan_ms real,
    execute_ms real,
    settle_ms real,
    members bytea,
    plan json
  )`,
  `create index chunks_seqs_idx on batch.chunks using gist (seqs)`,
  `create index chunks_settled_at_idx on batch.chunks (settled_at)`,
  // For people who look for chunks with trouble. Most chunks are in none of them.
  `create index chunks_failed_idx on batch.chunks (id) where failed > 0`,
  `create index chunks_fallback_idx on batch.chunks (id) where fallback`,
  `create index chunks_unnotified_idx on batch.chunks (id) where notify and notified_at is null`,
  `comment on table batch.chunks is 'One row for each committed chunk: which operations, how many statements, how long.'`,

  `create table batch.outcomes (
    seq bigint not null constraint outcomes_pkey primary key,
    settled_at timestamptz not null default now(),
    chunk_id bigint,
    rows_affected integer not null,
    attempts smallint not null,
    status text not null,
    code text,
    message text,
    constraint_name text,
    column_name text,
    sql_state text,
    constraint outcomes_status_check check (status in ('completed', 'failed', 'cancelled'))
  )`,
  `create index outcomes_status_idx on batch.outcomes (status, seq)`,
  // Of failures only, so that nothing else pays for them.
  `create index outcomes_failed_code_idx on batch.outcomes (code, seq) where status = 'failed'::text`,
  `create index outcomes_failed_constraint_idx on batch.outcomes (constraint_name, seq)
   where status = 'failed'::text and constraint_name is not null`,
  // An expression, so that one step leads from a pair of code and constraint to the next, also where there is no constraint.
  `create index outcomes_failed_kind_idx on batch.outcomes (code, (coalesce(constraint_name, ''::text)), seq)
   where status = 'failed'::text`,
  `create index outcomes_chunk_id_idx on batch.outcomes (chunk_id)`,
  `create index outcomes_settled_at_idx on batch.outcomes (settled_at)`,
  `comment on table batch.outcomes is 'What is not an ordinary success: failed, cancelled, no row matched, more than one attempt.'`,

  `create table batch.lanes (
    target text not null constraint lanes_pkey primary key,
    lane smallint not null
  )`,
  `comment on table batch.lanes is 'The lane of each table that operations named. Tables of one lane may influence one another.'`,

  `create table batch.lane_blocks (
    lane smallint not null constraint lane_blocks_pkey primary key,
    seq bigint not null,
    kind text not null default 'transient',
    failures integer not null,
    sql_state text,
    message text not null,
    worker text not null,
    first_failed_at timestamptz not null default now(),
    next_try_at timestamptz not null,
    parked_at timestamptz
  )`,
  `comment on table batch.lane_blocks is 'Blocked lanes: their first operation met a fault of nobody''s, such as a lock.'`,

  `create table batch.pauses (
    kind text not null,
    name text not null,
    drain boolean not null default false,
    paused_at timestamptz not null default now(),
    paused_by text,
    reason text,
    constraint pauses_pkey primary key (kind, name),
    constraint pauses_kind_check check (kind = any (array['lane'::text, 'target'::text, 'source'::text]))
  )`,
  `comment on table batch.pauses is 'Lanes, tables and sources that an operator has paused or drained.'`,

  `create table batch.workers (
    id uuid not null constraint workers_pkey primary key,
    name text not null,
    started_at timestamptz not null default now(),
    seen_at timestamptz not null default now(),
    closed_lanes smallint[] not null default '{}',
    moving_targets text[] not null default '{}'
  )`,
  `comment on table batch.workers is 'Processes that execute operations. One that was not seen for a few seconds is gone.'`,

  // Not unlogged: a row in ten seconds costs nothing, and the last hour is what one looks at after a crash.
  `create table batch.stats_samples (
    at timestamptz not null constraint stats_samples_pkey primary key,
    last_seq bigint not null,
    pending bigint not null,
    scheduled bigint not null,
    kept_failures bigint not null,
    lag_ms double precision not null,
    accepted integer,
    completed integer not null,
    failed integer not null,
    chunks integer not null,
    chunk_p50_ms integer,
    chunk_p95_ms integer,
    chunk_p99_ms integer,
    workers integer not null,
    blocked_lanes integer not null,
    failed_by_code jsonb
  )`,
  `comment on table batch.stats_samples is 'The state of the queue every ten seconds, and what happened in between. Kept for an hour.'`,

  `create table batch.message_attempts (
    fingerprint uuid not null constraint message_attempts_pkey primary key,
    last_at timestamptz not null,
    attempts smallint not null
  )`,
  `comment on table batch.message_attempts is 'Messages that came back to the queue and are executed again. One that ends its process again and again is parked.'`,

  `create table batch.parked_notifications (
    chunk_id bigint not null,
    source text not null,
    reason text not null,
    failures integer not null,
    parked_at timestamptz not null,
    next_try_at timestamptz not null,
    constraint parked_notifications_pkey primary key (chunk_id, source)
  )`,
  `comment on table batch.parked_notifications is 'Notifications that the broker refuses while it takes others. They are tried again seldom.'`,

  `create table batch.alerts (
    id bigint generated always as identity constraint alerts_pkey primary key,
    first_at timestamptz not null,
    last_at timestamptz not null,
    notified_at timestamptz not null,
    resolved_at timestamptz,
    rule text not null,
    subject text not null,
    title text not null,
    text text not null
  )`,
  'create unique index alerts_firing_idx on batch.alerts (rule, subject) where resolved_at is null',
  'create index alerts_resolved_at_idx on batch.alerts (resolved_at)',
  `comment on table batch.alerts is 'What operators are told of. An alert without resolved_at goes on; there is one of each rule and subject.'`,

  `create table batch.alert_deliveries (
    id bigint generated always as identity constraint alert_deliveries_pkey primary key,
    alert_id bigint not null,
    created_at timestamptz not null,
    next_try_at timestamptz not null,
    sent_at timestamptz,
    gave_up_at timestamptz,
    attempts integer not null default 0,
    channel text not null,
    event text not null,
    title text not null,
    text text not null,
    error text
  )`,
  `create index alert_deliveries_pending_idx on batch.alert_deliveries (channel, id) where sent_at is null and gave_up_at is null`,
  'create index alert_deliveries_alert_id_idx on batch.alert_deliveries (alert_id)',
  `comment on table batch.alert_deliveries is 'Messages of alerts, one for each channel. They are tried until they are sent, or for a day.'`,

  `create table batch.api_keys (
    id text not null constraint api_keys_pkey primary key,
    name text not null,
    secret_version text not null,
    secret_box bytea not null,
    scopes text[] not null,
    targets text[],
    sources text[],
    created_at timestamptz not null default now(),
    expires_at timestamptz,
    revoked_at timestamptz
  )`,
  `comment on table batch.api_keys is 'Keys of callers: the encrypted SHA-256 of the secret, scopes, and the tables and sources a key is limited to.'`,

  `create table batch.audit (
    id bigint not null generated always as identity constraint audit_pkey primary key,
    at timestamptz not null default now(),
    act text not null,
    actor text,
    subject_kind text not null,
    subject text not null,
    details jsonb not null
  )`,
  'create index audit_subject_idx on batch.audit (subject, subject_kind)',
  `comment on table batch.audit is 'Who did what: append-only, see docs/access.md.'`,
  `create function batch.refuse_change_of_audit() returns trigger language plpgsql as $$
      begin
        raise exception 'batch.audit only grows: % is refused', lower(tg_op)
          using errcode = 'insufficient_privilege',
            hint = 'Its owner may delete what is old, as docs/access.md describes.';
      end $$`,
  `create trigger audit_only_grows before update or delete or truncate on batch.audit
      for each statement execute function batch.refuse_change_of_audit()`,
  // It also fires in a session with session_replication_role = replica.
  'alter table batch.audit enable always trigger audit_only_grows',

  // `after_seq`: its operations up to here were examined. `last_seq`: it leaves later operations alone. `again`: some
  // operations could not be changed yet, so it begins once more. The process with the lease works on it.
  `create table batch.bulk_actions (
    seq bigint generated always as identity constraint bulk_actions_pkey primary key,
    id uuid not null constraint bulk_actions_id_key unique,
    action text not null,
    status text not null default 'running',
    filter jsonb not null,
    reach jsonb,
    matched bigint not null,
    done bigint not null default 0,
    skipped bigint not null default 0,
    after_seq bigint not null default 0,
    last_seq bigint not null,
    again boolean not null default false,
    failures smallint not null default 0,
    error text,
    leased_by uuid,
    leased_until timestamptz not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    ended_at timestamptz,
    created_by text,
    constraint bulk_actions_action_check check (action in ('retry', 'cancel', 'erase')),
    constraint bulk_actions_status_check check (status in ('running', 'completed', 'stopped', 'failed'))
  )`,
  `create index bulk_actions_running_idx on batch.bulk_actions (leased_until) where status = 'running'::text`,
  `comment on table batch.bulk_actions is 'What was requested for all operations that match a filter, and how far it is.'`,

  `create table batch.bulk_steps (
    id bigint generated always as identity constraint bulk_steps_pkey primary key,
    action bigint not null constraint bulk_steps_action_fkey references batch.bulk_actions on delete cascade,
    at timestamptz not null default now(),
    seqs int8multirange not null
  )`,
  `create index bulk_steps_action_idx on batch.bulk_steps (action)`,
  `create index bulk_steps_seqs_idx on batch.bulk_steps using gist (seqs)`,
  `comment on table batch.bulk_steps is 'The operations that each step of a bulk action has changed.'`,

  // The view calls them. `migrate` creates them again, with their versions and rights.
  WHY_WAITING.sql,
  WAITS_FOR.sql,

  // For people: every operation with its result. `waits_for` costs nothing where it is not selected.
  `create view batch.batch_operations as
  select o.seq, o.id, s.type, s.target,
    ${object('key_columns', '0', '0')} as key,
    ${object('value_columns', 'coalesce(cardinality(s.key_columns), 0)', '1')} as "values",
    s.on_conflict, s.conflict_key, s.must_exist, o.priority,
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
    nullif(d.available_at, 'infinity') as available_at, d.reason as wait_reason, o.created_by,
    case when p.seq is not null or d.seq is not null then batch.waits_for(o.id) end as waits_for, o.erased_at
  from batch.operations o
  join batch.shapes s on s.id = o.shape
  left join batch.pending p on p.lane = o.lane and p.priority = o.priority and p.seq = o.seq
  left join batch.delayed d on d.seq = o.seq
  left join batch.outcomes x on x.seq = o.seq and p.seq is null and d.seq is null
  left join lateral (
    select c.id, c.settled_at from batch.chunks c
    where c.seqs @> o.seq and x.seq is null and p.seq is null and d.seq is null
    order by c.id desc limit 1
  ) c on true`,
  `comment on view batch.batch_operations is 'Every operation with its status, error, chunk and times.'`,
];

/** An object of these columns. Their values begin at place `first`. Without columns: one text, at place `whole`. */
function object(columns: string, first: string, whole: string): string {
  return `case
      when o.erased_at is not null then null
      when not s.by_column then (o."values"->>${whole})::json
      when s.${columns} is not null then (
        select json_object_agg(c.name, case
          when c.place = any(s.documents) then (o."values"->>c.place)::json
          else (o."values"->c.place)::json
        end order by c.place)
        from (select name, (${first} + n - 1)::int as place from unnest(s.${columns}) with ordinality u(name, n)) c
      )
    end`;
}
