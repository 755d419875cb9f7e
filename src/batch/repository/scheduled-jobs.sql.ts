import type { SqlStatement } from '../../interfaces/sql.js';
import type { BatchTables } from './batch-tables.js';

export const selectFireTime = ({ scheduledJobs }: BatchTables, jobName: string): SqlStatement => ({
  text: `select last_fire_time as at from ${scheduledJobs} where job_name = $1::text`,
  values: [jobName],
});

export const insertFireTime = ({ scheduledJobs }: BatchTables, jobName: string, at: Date): SqlStatement => ({
  text: `
    insert into ${scheduledJobs} (job_name, last_fire_time) values ($1::text, $2::timestamptz)
    on conflict (job_name) do nothing`,
  values: [jobName, at],
});

export const upsertFireTime = ({ scheduledJobs }: BatchTables, jobName: string, at: Date): SqlStatement => ({
  text: `
    insert into ${scheduledJobs} as s (job_name, last_fire_time) values ($1::text, $2::timestamptz)
    on conflict (job_name) do update set last_fire_time = excluded.last_fire_time
    where s.last_fire_time < excluded.last_fire_time`,
  values: [jobName, at],
});
