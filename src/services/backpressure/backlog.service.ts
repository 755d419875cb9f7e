import { Inject, Injectable, Logger } from '@nestjs/common';
import { SETTINGS, type Settings } from '../config/settings.js';
import { DatabaseService } from '../database/database.service.js';
import { MetricsService } from '../observability/metrics.service.js';
import { BacklogLimit, type BacklogCount } from './backlog-limit.js';
import { countBacklog, countParties, RATE_WINDOW_SECONDS, type BacklogRow, type PartyRow } from './backlog.sql.js';
import { toDemands, type Backlog, type Demand } from './demand.js';
import { queueFull, type FullBacklog } from './overload-errors.js';

/** Ends the entry of operations. Call it once, and say for each of them whether it was stored. */
export type Conclude = (stored: readonly boolean[]) => void;

/**
 * Refuses operations while too many wait, and operations of a party that has used up its share. What waits is counted
 * at intervals, and only while operations come in. Between two counts it adds what this process stores. It promises
 * that nobody is refused because of an old or missing count, and that a later caller does not overtake one that waits
 * for a count. Operations of other processes are seen with the next count. The last request may exceed a limit by its
 * own operations.
 */
@Injectable()
export class BacklogService {
  private readonly logger = new Logger(BacklogService.name);
  private readonly backlogs: Readonly<Record<Backlog, BacklogLimit>>;

  constructor(
    private readonly database: DatabaseService,
    metrics: MetricsService,
    @Inject(SETTINGS) { intake }: Pick<Settings, 'intake'>,
  ) {
    const limitOf = (backlog: Backlog, limit: number): BacklogLimit =>
      new BacklogLimit({
        backlog,
        limit,
        share: intake.backlogShare,
        count: () => this.count(backlog, limit),
        countParties: () => this.countParties(backlog),
        onFailure: (error) => this.warn(backlog, error),
      });
    this.backlogs = {
      pending: limitOf('pending', intake.maxBacklog),
      scheduled: limitOf('scheduled', intake.maxScheduled),
    };
    metrics.readBacklogBy((backlog) => this.backlogs[backlog].estimate);
  }

  /**
   * @param requests as they came in
   * @param createdBy see `callerName`
   * @throws ServiceError QUEUE_FULL
   */
  async enter(requests: readonly unknown[], createdBy: string | undefined): Promise<Conclude> {
    const { demands, demandOf } = toDemands(requests, createdBy, Date.now());
    await this.checkRoom(demands);
    for (const demand of demands) this.backlogs[demand.backlog].enter(demand);
    return (stored) => {
      const storedOf = new Map<Demand, number>();
      demandOf.forEach((demand, index) => {
        if (stored[index] === true) storedOf.set(demand, (storedOf.get(demand) ?? 0) + 1);
      });
      for (const demand of demands) this.backlogs[demand.backlog].conclude(demand, storedOf.get(demand) ?? 0);
    };
  }

  private async checkRoom(demands: readonly Demand[]): Promise<void> {
    const isRefused = (): boolean => this.refusalOf(demands) !== undefined;
    for (const backlog of new Set(demands.map((demand) => demand.backlog))) {
      await this.backlogs[backlog].refresh(isRefused);
    }
    const refusal = this.refusalOf(demands);
    if (refusal !== undefined) throw queueFull(refusal);
  }

  private refusalOf(demands: readonly Demand[]): FullBacklog | undefined {
    for (const demand of demands) {
      const refusal = this.backlogs[demand.backlog].refusalOf(demand);
      if (refusal !== undefined) return refusal;
    }
    return undefined;
  }

  private async count(backlog: Backlog, limit: number): Promise<BacklogCount> {
    const { rows } = await this.database.query<BacklogRow>(countBacklog(backlog, limit + 1));
    const { operations, settled } = rows[0]!;
    return { operations, settledPerSecond: settled / RATE_WINDOW_SECONDS };
  }

  private async countParties(backlog: Backlog): Promise<ReadonlyMap<number, number>> {
    const { rows } = await this.database.query<PartyRow>(countParties(backlog));
    return new Map(rows.map(({ party, operations }) => [party, operations]));
  }

  private warn(backlog: Backlog, error: unknown): void {
    const message = 'The backlog could not be counted, so its limit refuses nothing for now';
    this.logger.warn(`${message} (${backlog}): ${(error as Error).message}`);
  }
}
