import { Module } from '@nestjs/common';
import { ParkedNotificationsService } from '../notification/parked-notifications.service.js';
import { QueueModule } from '../queue/queue.module.js';
import { ChunksService } from './chunks.service.js';
import { OperationsService } from './operations.service.js';
import { OutcomeWatchService } from './outcome-watch.service.js';
import { StatsService } from './stats.service.js';

@Module({
  imports: [QueueModule],
  providers: [OperationsService, OutcomeWatchService, ChunksService, ParkedNotificationsService, StatsService],
  exports: [OperationsService, ChunksService, ParkedNotificationsService, StatsService],
})
export class OutcomesModule {}
