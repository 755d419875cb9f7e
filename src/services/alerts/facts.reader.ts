import { Inject, Injectable } from '@nestjs/common';
import { JobScheduler } from '../../batch/nest/job-scheduler.js';
import type { SqlClient } from '../../interfaces/sql.js';
import { SETTINGS, type Settings } from '../config/settings.js';
import {
  selectClosedLanes,
  selectLockedLanes,
  type ClosedLaneRow,
  type LockedLaneRow,
} from '../waiting/waiting.sql.js';
import type { AlertFacts, FailedJob, MissedJob } from './alert-facts.js';
import {
  selectFailedJobs,
  selectLaneFaults,
  selectQueueFacts,
  selectScheduledJobs,
  type LaneFaultRow,
  type QueueFactsRow,
  type ScheduledJobRow,
} from './alerts.sql.js';
import { blockedLanes, type ClosedLane } from './blocked-lanes.js';
import { missedJobs } from './missed-jobs.js';
import { ParkedMessageCount } from './parked-message-count.js';

/** Reads what the rules look at. It remembers since when no worker was seen, and since when lanes are closed; a new leader counts that anew. */
@Injectable()
export class FactsReader {
  private noWorkerSince: Date | undefined;
  private closedSince: ReadonlyMap<number, Date> = new Map();

  constructor(
    @Inject(SETTINGS) private readonly settings: Settings,
    private readonly scheduler: JobScheduler,
    private readonly parkedMessages: ParkedMessageCount,
  ) {}

  async read(database: SqlClient): Promise<AlertFacts> {
    const { alerts, execution } = this.settings;
    const { rules } = alerts;
    const { rows: queue } = await database.query<QueueFactsRow>(selectQueueFacts(rules.failureWindowMs));
    const { rows: faults } = await database.query<LaneFaultRow>(selectLaneFaults());
    const { rows: locked } = await database.query<LockedLaneRow>(selectLockedLanes());
    const { rows: closed } = await database.query<ClosedLaneRow>(selectClosedLanes());
    const { rows: failedJobs } = await database.query<FailedJob>(selectFailedJobs(rules.jobFailedMs));
    const { workers, pausedLanes, ...facts } = queue[0]!;
    this.noWorkerSince = workers > 0 ? undefined : (this.noWorkerSince ?? facts.now);
    return {
      ...facts,
      lanes: blockedLanes(
        faults,
        locked,
        this.closedLanes(closed, facts.now),
        { now: facts.now, pausedLanes },
        execution.lockTimeoutMs,
      ),
      failedJobs,
      missedJobs: await this.missedJobs(database, facts.now),
      parkedMessages: await this.countParkedMessages(),
      noWorkerSince: this.noWorkerSince,
    };
  }

  /** For a process that no longer leads. */
  forget(): void {
    this.noWorkerSince = undefined;
    this.closedSince = new Map();
  }

  private closedLanes(rows: readonly ClosedLaneRow[], now: Date): ClosedLane[] {
    const lanes = rows.map(({ lane, laneTargets, ...closure }) => {
      return { lane, targets: laneTargets, closure: { ...closure, since: this.closedSince.get(lane) ?? now } };
    });
    this.closedSince = new Map(lanes.map(({ lane, closure }) => [lane, closure.since]));
    return lanes;
  }

  private async missedJobs(database: SqlClient, now: Date): Promise<MissedJob[]> {
    const { jobNames } = this.scheduler;
    if (jobNames.length === 0) return [];
    const { rows } = await database.query<ScheduledJobRow>(selectScheduledJobs(jobNames));
    const lastDueTime = this.scheduler.lastDueTime.bind(this.scheduler);
    return missedJobs(rows, lastDueTime, now, this.settings.alerts.rules.jobMissedMs);
  }

  /** Without a broker no message can be parked. */
  private async countParkedMessages(): Promise<number | undefined> {
    const { alerts, rabbitmq } = this.settings;
    if (rabbitmq === undefined || alerts.rules.parkedMessages === 0) return 0;
    return this.parkedMessages.count(rabbitmq.queue);
  }
}
