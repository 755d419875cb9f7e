import { Module } from '@nestjs/common';
import { QueueModule } from '../queue/queue.module.js';
import { ChunksService } from './chunks.service.js';
import { OperationsService } from './operations.service.js';
import { OutcomeWatchService } from './outcome-watch.service.js';
import { StatsService } from './stats.service.js';

@Module({
  imports: [QueueModule],
  providers: [OperationsService, OutcomeWatchService, ChunksService, StatsService],
  exports: [OperationsService, ChunksService, StatsService],
})
export class OutcomesModule {}
