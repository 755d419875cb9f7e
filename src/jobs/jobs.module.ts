import { Module } from '@nestjs/common';
import { CatalogModule } from '../services/catalog/catalog.module.js';
import { ExecutorService } from '../services/executor/executor.service.js';
import { HealthModule } from '../services/health/health.module.js';
import { QueueModule } from '../services/queue/queue.module.js';
import { LaneWatchService } from '../services/waiting/lane-watch.service.js';
import { HeavyLanes } from '../services/queue/heavy-lanes.js';
import { LaneRecoveryJob } from './lane-recovery.job.js';
import { LightLanesJob } from './light-lanes.job.js';
import { OperationChunkJob } from './operation-chunk.job.js';
import { OperationPollerService } from './operation-poller.service.js';
import { OperationStepFactory } from './operation-step.factory.js';

/** The jobs that a worker runs. */
@Module({
  imports: [QueueModule, CatalogModule, HealthModule],
  providers: [
    ExecutorService,
    OperationStepFactory,
    OperationChunkJob,
    HeavyLanes,
    LightLanesJob,
    LaneRecoveryJob,
    LaneWatchService,
    OperationPollerService,
  ],
  exports: [OperationChunkJob],
})
export class JobsModule {}
