import { Module, type OnModuleInit } from '@nestjs/common';
import { OutcomesModule } from '../outcomes/outcomes.module.js';
import { StatsService } from '../outcomes/stats.service.js';
import { withTimeout } from './with-timeout.js';
import { MetricsService } from './metrics.service.js';

/** A scrape has to be answered even if the database does not answer. */
const STATS_TIMEOUT_MS = 2000;

/** Adds the depth and lag of the queue to the metrics. */
@Module({ imports: [OutcomesModule] })
export class QueueMetricsModule implements OnModuleInit {
  constructor(
    private readonly metrics: MetricsService,
    private readonly statsService: StatsService,
  ) {}

  onModuleInit(): void {
    this.metrics.readQueueDepthBy(async () => {
      const { lagMs, ...stats } = await withTimeout(this.statsService.sharedStats(), STATS_TIMEOUT_MS);
      return { ...stats, oldestPendingSeconds: lagMs / 1000 };
    });
  }
}
