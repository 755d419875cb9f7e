import { Module } from '@nestjs/common';
import { CatalogModule } from '../services/catalog/catalog.module.js';
import { ExecutorModule } from '../services/executor/executor.module.js';
import { HealthModule } from '../services/health/health.module.js';
import { QueueModule } from '../services/queue/queue.module.js';
import { SurveyModule } from '../services/survey/survey.module.js';
import { LaneRecoveryJob } from './lane-recovery.job.js';
import { OperationChunkJob } from './operation-chunk.job.js';
import { OperationPollerService } from './operation-poller.service.js';
import { OperationStepFactory } from './operation-step.factory.js';

/** The jobs that a worker runs. */
@Module({
  imports: [QueueModule, CatalogModule, SurveyModule, ExecutorModule, HealthModule],
  providers: [OperationStepFactory, OperationChunkJob, LaneRecoveryJob, OperationPollerService],
  exports: [OperationChunkJob],
})
export class JobsModule {}
