import { Injectable, Logger } from '@nestjs/common';
import { SchedulerRegistry } from '@nestjs/schedule';
import { CronJob, CronTime } from 'cron';
import type { SqlClient } from '../../interfaces/sql.js';
import { BatchError, InvalidJobDefinitionError } from '../model/batch-error.js';
import { isRunning } from '../model/batch-status.js';
import { JobOperator } from '../operator/job-operator.js';
import { JobRepository } from '../repository/job-repository.js';
import { SCHEDULED_AT, type JobSchedule } from './scheduled-job.js';

interface Scheduled {
  jobName: string;
  schedule: JobSchedule;
  times: CronTime;
}

/** A timer may ring a little before its time. */
const EARLY_MS = 500;
/** Another process may be about to start the run of a time that has just come. If none is, the next time reports it. */
const LEFT_TO_OTHERS_MS = 5000;
/** Of a schedule that was not served for long, the times in between are not gone through. */
const MAX_MISSED = 1000;

/**
 * Starts jobs at the times of their schedules. The time is an identifying parameter, so of all processes one starts the run. It promises
 * that a time at which no process ran is reported, and made up for where the schedule says so.
 */
@Injectable()
export class JobScheduler {
  private readonly logger = new Logger(JobScheduler.name);
  private readonly scheduled: Scheduled[] = [];

  constructor(
    private readonly operator: JobOperator<SqlClient>,
    private readonly repository: JobRepository<SqlClient>,
    private readonly crons: SchedulerRegistry,
  ) {}

  /** @throws InvalidJobDefinitionError */
  add(jobName: string, schedule: JobSchedule): void {
    try {
      this.scheduled.push({ jobName, schedule, times: new CronTime(schedule.cron, schedule.timeZone ?? 'UTC') });
    } catch (cause) {
      throw new InvalidJobDefinitionError(
        `Job "${jobName}" has the schedule "${schedule.cron}" in time zone ${schedule.timeZone ?? 'UTC'}, which cannot be read: ` +
          `${(cause as Error).message}. Write five fields, or six with seconds first.`,
      );
    }
  }

  /** Looks for missed times, and begins to start jobs. */
  async open(): Promise<void> {
    for (const each of this.scheduled) {
      const { jobName, schedule } = each;
      // Nothing was missed before the schedule existed. A process that begins at the same time and is a little later must not
      // store its own time: the times in between would be taken for served.
      if (!(await this.repository.saveFirstFireTime(jobName, new Date()))) await this.catchUp(each);
      const cron = CronJob.from({
        cronTime: schedule.cron,
        timeZone: schedule.timeZone ?? 'UTC',
        onTick: () => this.fire(each),
        start: true,
        unrefTimeout: true,
      });
      this.crons.addCronJob(`batch:${jobName}`, cron);
    }
  }

  close(): void {
    for (const { jobName } of this.scheduled) {
      const name = `batch:${jobName}`;
      if (this.crons.doesExist('cron', name)) this.crons.deleteCronJob(name);
    }
  }

  /** The jobs with a schedule that this process knows, also where it does not start them. */
  get jobNames(): string[] {
    return this.scheduled.map(({ jobName }) => jobName);
  }

  /** The last time of the schedule of a job that is after `since` and not after `until`. Undefined when there is none. */
  lastDueTime(jobName: string, since: Date, until: Date): Date | undefined {
    const times = this.scheduled.find((each) => each.jobName === jobName)?.times;
    const first = times && nextTime(times, since);
    return first === undefined || first > until ? undefined : lastTime(times!, first, until.getTime());
  }

  private async catchUp(scheduled: Scheduled): Promise<void> {
    const { jobName, schedule } = scheduled;
    // A run that is made up for is started once, whichever process begins with it.
    const leftMs = schedule.missed === 'run' ? 0 : LEFT_TO_OTHERS_MS;
    const missed = await this.dueTimes(scheduled, Date.now() - leftMs);
    if (missed.length === 0) return;
    this.report(jobName, missed);
    if (schedule.missed === 'run') await this.startOrReport(scheduled, missed.at(-1)!);
    await this.repository.saveFireTime(jobName, missed.at(-1)!);
  }

  private async fire(scheduled: Scheduled): Promise<void> {
    try {
      const due = await this.dueTimes(scheduled, Date.now() + EARLY_MS);
      const fireTime = due.pop();
      // Another process was quicker.
      if (fireTime === undefined) return;
      if (due.length > 0) this.report(scheduled.jobName, due);
      await this.startOrReport(scheduled, fireTime);
      await this.repository.saveFireTime(scheduled.jobName, fireTime);
    } catch (error) {
      this.logger.error({ message: 'A scheduled job was not started', job: scheduled.jobName, err: error });
    }
  }

  /** Times after the last one for which the job was started. */
  private async dueTimes({ jobName, times }: Scheduled, until: number): Promise<Date[]> {
    const last = await this.repository.lastFireTime(jobName);
    if (last === undefined) return [];
    const due: Date[] = [];
    for (let at = nextTime(times, last); at.getTime() <= until; at = nextTime(times, at)) {
      if (due.length === MAX_MISSED) return [...due, lastTime(times, at, until)];
      due.push(at);
    }
    return due;
  }

  /** A refused start has had its time too: the next time must not report it as missed. */
  private async startOrReport(scheduled: Scheduled, fireTime: Date): Promise<void> {
    try {
      await this.start(scheduled, fireTime);
    } catch (error) {
      if (!(error instanceof BatchError)) throw error;
      this.logger.error({ message: 'A scheduled job was refused', job: scheduled.jobName, fireTime, err: error });
    }
  }

  private async start({ jobName, schedule }: Scheduled, fireTime: Date): Promise<void> {
    if (schedule.overlap !== 'allow' && (await this.earlierRunGoesOn(jobName, fireTime))) {
      this.logger.warn(`Job "${jobName}" is not started for ${fireTime.toISOString()}: an earlier run goes on`);
      return;
    }
    const { parameters = {} } = schedule;
    const given = typeof parameters === 'function' ? parameters(fireTime) : parameters;
    const execution = await this.operator.startOnce(jobName, { ...given, [SCHEDULED_AT]: fireTime });
    if (execution === undefined) return;
    this.logger.log({ message: 'Job started by its schedule', job: jobName, execution: execution.id, fireTime });
  }

  /** The run of this time may go on already: another process was quicker. */
  private async earlierRunGoesOn(jobName: string, fireTime: Date): Promise<boolean> {
    const latest = await this.repository.findExecutions({ jobName, limit: 20 });
    return latest.some(({ status, parameters }) => {
      const scheduledAt = parameters.get(SCHEDULED_AT);
      return isRunning(status) && scheduledAt instanceof Date && scheduledAt < fireTime;
    });
  }

  private report(jobName: string, missed: readonly Date[]): void {
    const [first, last] = [missed[0]!.toISOString(), missed.at(-1)!.toISOString()];
    const count = missed.length > MAX_MISSED ? `${MAX_MISSED} or more` : String(missed.length);
    this.logger.warn(
      `Job "${jobName}" missed ${count} of its scheduled times, from ${first} to ${last}: no process ran then`,
    );
  }
}

/** The last time up to `until`. It looks at the last minute, then at twice as long, and so on back to `earliest`, which is a time. */
function lastTime(times: CronTime, earliest: Date, until: number): Date {
  for (let part = 60_000; until - part > earliest.getTime(); part *= 2) {
    let last: Date | undefined;
    for (let at = nextTime(times, new Date(until - part)); at.getTime() <= until; at = nextTime(times, at)) last = at;
    if (last !== undefined) return last;
  }
  let last = earliest;
  for (let at = earliest; at.getTime() <= until; at = nextTime(times, at)) last = at;
  return last;
}

/** The next time after a time. */
const nextTime = (times: CronTime, after: Date): Date => times.getNextDateFrom(after, times.timeZone).toJSDate();
