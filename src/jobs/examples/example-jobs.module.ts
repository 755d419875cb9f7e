import { Module } from '@nestjs/common';
import { ArchiveOrdersJob } from './archive-orders.job.js';
import { ImportOrdersJob } from './import-orders.job.js';

/** Two jobs to try the engine with, and to begin an own job from. */
@Module({ providers: [ImportOrdersJob, ArchiveOrdersJob] })
export class ExampleJobsModule {}
