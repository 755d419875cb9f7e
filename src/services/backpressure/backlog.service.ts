import { Inject, Injectable } from '@nestjs/common';
import { SETTINGS, type Settings } from '../config/settings.js';
import { DatabaseService } from '../database/database.service.js';
import { MetricsService } from '../observability/metrics.service.js';
import { BacklogLimit } from './backlog-limit.js';
import { toDemands, type Backlog, type Demand } from './demand.js';
import { queueFull, type FullBacklog } from './overload-errors.js';

/** Ends the entry of operations. Call it once. `stored` says for each of them whether it was stored. */
export type Conclude = (stored: readonly boolean[]) => void;

/**
 * Refuses operations while too many wait, and operations of a party that has used up its share. Waiting operations are
 * counted at intervals, and only while operations come in. Between two counts, the operations that this process stores
 * are added, and those of other processes are not seen.
 *
 * It promises that an old or missing count refuses nobody, and that a later caller does not overtake one that waits for
 * a count. The last request may exceed a limit by its own operations.
 */
@Injectable()
export class BacklogService {
  private readonly backlogs: Readonly<Record<Backlog, BacklogLimit>>;

  constructor(
    database: DatabaseService,
    metrics: MetricsService,
    @Inject(SETTINGS) { intake }: Pick<Settings, 'intake'>,
  ) {
    const { maxBacklog, maxScheduled, backlogShare } = intake;
    this.backlogs = {
      pending: new BacklogLimit(database, 'pending', maxBacklog, backlogShare),
      scheduled: new BacklogLimit(database, 'scheduled', maxScheduled, backlogShare),
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
}
