import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AuditEntity } from '../../entities/audit.entity.js';
import { ChunkEntity } from '../../entities/chunk.entity.js';
import { AuditService } from '../audit/audit.service.js';
import { ParkedNotificationsService } from '../notification/parked-notifications.service.js';
import { QueueModule } from '../queue/queue.module.js';
import { ChunksService } from './chunks.service.js';
import { FailuresService } from './failures.service.js';
import { LaneSkipsService } from './lane-skips.service.js';
import { OperationsService } from './operations.service.js';
import { OutcomeWatchService } from './outcome-watch.service.js';
import { StatsFeedService } from './stats-feed.service.js';
import { StatsSamplerService } from './stats-sampler.service.js';
import { StatsService } from './stats.service.js';
import { WorkersService } from './workers.service.js';

@Module({
  imports: [QueueModule, TypeOrmModule.forFeature([AuditEntity, ChunkEntity])],
  providers: [
    OperationsService,
    OutcomeWatchService,
    ChunksService,
    ParkedNotificationsService,
    StatsService,
    StatsSamplerService,
    StatsFeedService,
    FailuresService,
    LaneSkipsService,
    WorkersService,
    AuditService,
  ],
  exports: [
    OperationsService,
    ChunksService,
    ParkedNotificationsService,
    StatsService,
    StatsSamplerService,
    StatsFeedService,
    FailuresService,
    LaneSkipsService,
    WorkersService,
    AuditService,
  ],
})
export class OutcomesModule {}
