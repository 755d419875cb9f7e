import { SetMetadata } from '@nestjs/common';
import type { JobParametersInput } from '../model/job-parameters.js';

export interface JobSchedule {
  /** Five fields, or six with seconds first. */
  cron: string;
  /** A name of the IANA database, such as `Europe/Berlin`. Default: UTC. */
  timeZone?: string;
  /** Of each run, beside `scheduledAt`. */
  parameters?: JobParametersInput | ((fireTime: Date) => JobParametersInput);
  /**
   * What becomes of times at which no process ran. `report`: a warning names them. `run`: the job is started once for the last of them,
   * after the warning. Default: `report`.
   */
  missed?: 'report' | 'run';
  /** Whether a run begins while an earlier one goes on. Default: `skip`, with a warning. */
  overlap?: 'skip' | 'allow';
}

export const SCHEDULED_JOB = 'batch-service:schedule';

/** Identifies the run: the time of the schedule, not that of the start. So of many processes one starts it. */
export const SCHEDULED_AT = 'scheduledAt';

/** Starts a `@BatchJob` at the times of a cron expression, once among all processes of the database. */
export const ScheduledJob = (schedule: JobSchedule): ClassDecorator => SetMetadata(SCHEDULED_JOB, schedule);
