import type { SqlStatement } from '../../interfaces/sql.js';
import { BATCH_STATUSES } from '../model/batch-status.js';
import { createItemFunctions } from '../sql/item-functions.sql.js';
import { RUNNING, type BatchTables } from './batch-tables.js';

const STATUSES = `(${BATCH_STATUSES.map((status) => `'${status}'`).join(', ')})`;

/**
 * The engine's tables and functions, step by step. A step that was released is never changed: what it made is in databases. Contexts and
 * parameters are `json`: `jsonb` refuses the character U+0000 and half surrogate pairs, which a text of a context may contain.
 */
export const SCHEMA_STEPS: readonly ((tables: BatchTables) => readonly string[])[] = [
  ({ schema, jobInstances, jobExecutions, stepExecutions, skippedItems, scheduledJobs }) => [
    `create table ${jobInstances} (
      id bigint generated always as identity primary key,
      job_name text not null,
      job_key text not null,
      created_at timestamptz not null default now(),
      last_started_at timestamptz not null default now(),
      constraint job_instances_key unique (job_name, job_key)
    )`,
    `comment on table ${jobInstances} is
      'A job with its identifying parameters (job_key is their hash). It has executions, and completes once.'`,

    `create index job_instances_started on ${jobInstances} (last_started_at)`,

    `create table ${jobExecutions} (
      id bigint generated always as identity primary key,
      job_instance_id bigint not null references ${jobInstances} on delete cascade,
      job_name text not null,
      status text not null check (status in ${STATUSES}),
      exit_code text not null,
      exit_description text not null default '',
      parameters json not null,
      context json not null,
      restart_at text,
      interrupted boolean not null default false,
      recoveries integer not null default 0,
      stop_requested boolean not null default false,
      owner text,
      lease_until timestamptz not null,
      created_at timestamptz not null default clock_timestamp(),
      started_at timestamptz,
      ended_at timestamptz
    )`,
    `comment on table ${jobExecutions} is
      'One attempt to run a job instance. The process owner runs it, and renews lease_until while it does. Without an owner it waits for a process. job_name is a copy of the name of the instance, for the index.'`,
    `create unique index job_executions_running on ${jobExecutions} (job_instance_id) where status in ${RUNNING}`,
    `create index job_executions_instance on ${jobExecutions} (job_instance_id, id)`,
    `create index job_executions_lease on ${jobExecutions} (lease_until) where status in ${RUNNING}`,
    `create index job_executions_waiting on ${jobExecutions} (id) where owner is null and status in ${RUNNING}`,
    `create index job_executions_interrupted on ${jobExecutions} (job_name) where interrupted`,
    `create index job_executions_job on ${jobExecutions} (job_name, id)`,

    `create table ${stepExecutions} (
      id bigint generated always as identity primary key,
      job_execution_id bigint not null references ${jobExecutions} on delete cascade,
      step_name text not null,
      status text not null check (status in ${STATUSES}),
      exit_code text not null,
      exit_description text not null default '',
      read_count bigint not null default 0,
      write_count bigint not null default 0,
      filter_count bigint not null default 0,
      read_skip_count bigint not null default 0,
      process_skip_count bigint not null default 0,
      write_skip_count bigint not null default 0,
      commit_count bigint not null default 0,
      rollback_count bigint not null default 0,
      progress double precision,
      context json not null,
      version integer not null default 0,
      started_at timestamptz not null default clock_timestamp(),
      ended_at timestamptz
    )`,
    `comment on table ${stepExecutions} is
      'One attempt to run a step. Counters, progress, context and version change in the transaction of a chunk. progress is from 0 to 1, and null where it is not known; of a step with partitions it is the part that earlier executions have completed.'`,
    `create index step_executions_job on ${stepExecutions} (job_execution_id, id)`,

    `create table ${skippedItems} (
      id bigint generated always as identity primary key,
      step_execution_id bigint not null references ${stepExecutions} on delete cascade,
      phase text not null check (phase in ('read', 'process', 'write')),
      item text,
      error_name text not null,
      message text not null,
      at timestamptz not null default clock_timestamp()
    )`,
    `comment on table ${skippedItems} is
      'Items that a step has left out, stored in the transaction of their chunk. item is null where it could not be read.'`,
    `create index skipped_items_step on ${skippedItems} (step_execution_id, id)`,

    `create table ${scheduledJobs} (
      job_name text primary key,
      last_fire_time timestamptz not null,
      created_at timestamptz not null default clock_timestamp()
    )`,
    `comment on table ${scheduledJobs} is
      'The last time of its schedule for which a job was started. It shows which times were missed while no process ran. No time before created_at was missed.'`,

    ...createItemFunctions(schema),
  ],
];

/** Waits for others that migrate this schema. Held until the end of the transaction. */
export const lockSchema = ({ schema }: BatchTables): SqlStatement => ({
  text: `select pg_advisory_xact_lock(hashtext('batch-engine.schema'), hashtext($1::text))`,
  values: [schema],
});

/** Not `create … if not exists`: that needs the right to create even when the thing exists. */
export const selectExisting = ({ schema, schemaVersions }: BatchTables): SqlStatement => ({
  text: `
    select to_regnamespace($1::text) is not null as "hasSchema", to_regclass($2::text) is not null as "hasVersions"`,
  values: [schema, schemaVersions],
});

export const createSchema = ({ schema }: BatchTables): SqlStatement => ({ text: `create schema ${schema}` });

export const createVersions = ({ schemaVersions }: BatchTables): readonly SqlStatement[] => [
  {
    text: `
      create table ${schemaVersions} (
        version integer primary key,
        applied_at timestamptz not null default now()
      )`,
  },
  { text: `comment on table ${schemaVersions} is 'The steps of the batch engine''s schema that were applied.'` },
];

export const selectVersion = ({ schemaVersions }: BatchTables): SqlStatement => ({
  text: `select coalesce(max(version), 0) as version from ${schemaVersions}`,
});

export const insertVersion = ({ schemaVersions }: BatchTables, version: number): SqlStatement => ({
  text: `insert into ${schemaVersions} (version) values ($1::int4)`,
  values: [version],
});
