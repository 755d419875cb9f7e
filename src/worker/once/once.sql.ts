import type { JobKey } from '../queue/job-key.js';

export interface Statement {
  text: string;
  values: unknown[];
}

/** One number for every process that makes the tables. */
const SCHEMA_LOCK = 7_241_986_511;

export const isPresent = (): Statement => ({
  text: `select to_regclass('batch_worker.done_jobs') is not null and to_regclass('batch_worker.failed_jobs') is not null as present`,
  values: [],
});

/** To be held while the tables are made: two processes that make the same table at the same time would fail. */
export const lockTables = (): Statement => ({ text: 'select pg_advisory_xact_lock($1)', values: [SCHEMA_LOCK] });

/**
 * Whether another process has made the tables while this one waited for the lock. It reads the catalog as tables, because
 * `create … if not exists` looks at what the session remembers, and that may be older than the lock.
 */
export const isMadeMeanwhile = (): Statement => ({
  text: `select count(*) = 2 as present from pg_catalog.pg_tables
    where schemaname = 'batch_worker' and tablename in ('done_jobs', 'failed_jobs')`,
  values: [],
});

/** In the transaction that holds the lock. */
export const createTables = (): Statement[] => [
  { text: 'create schema if not exists batch_worker', values: [] },
  {
    text: `create table if not exists batch_worker.done_jobs (
      job_type text not null,
      target_id text not null,
      worker text not null,
      done_at timestamptz not null default now(),
      result jsonb,
      primary key (job_type, target_id))`,
    values: [],
  },
  {
    // data is json and not jsonb: it may contain \u0000, which jsonb refuses.
    text: `create table if not exists batch_worker.failed_jobs (
      id bigint generated always as identity primary key,
      queue text not null,
      job_id text not null,
      job_type text not null,
      target_id text not null,
      data json,
      reason text not null,
      code text,
      attempts int not null,
      worker text not null,
      failed_at timestamptz not null default now())`,
    values: [],
  },
  {
    text: 'create index if not exists failed_jobs_job on batch_worker.failed_jobs (job_type, target_id)',
    values: [],
  },
];

/** Waits for another transaction that has inserted the same key, until it ends. Answers no row when the key is there. */
export const insertDone = ({ type, targetId }: JobKey, worker: string): Statement => ({
  text: `insert into batch_worker.done_jobs (job_type, target_id, worker)
    values ($1, $2, $3)
    on conflict do nothing
    returning 1 as inserted`,
  values: [type, targetId, worker],
});

export const selectResult = ({ type, targetId }: JobKey): Statement => ({
  text: 'select result from batch_worker.done_jobs where job_type = $1 and target_id = $2',
  values: [type, targetId],
});

/** @param result JSON */
export const updateResult = ({ type, targetId }: JobKey, result: string): Statement => ({
  text: 'update batch_worker.done_jobs set result = $3::jsonb where job_type = $1 and target_id = $2',
  values: [type, targetId, result],
});

export interface FailedJob extends JobKey {
  queue: string;
  jobId: string;
  /** JSON */
  data: string;
  reason: string;
  code: string | undefined;
  attempts: number;
}

export const insertFailed = (job: FailedJob, worker: string): Statement => ({
  text: `insert into batch_worker.failed_jobs (queue, job_id, job_type, target_id, data, reason, code, attempts, worker)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
  values: [
    ...[job.queue, job.jobId, job.type, job.targetId, job.data],
    ...[job.reason, job.code ?? null, job.attempts, worker],
  ],
});
