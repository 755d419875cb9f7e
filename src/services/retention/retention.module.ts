import { Module } from '@nestjs/common';
import { RetentionService } from './retention.service.js';

/** Deletes what was settled long ago. A part of the worker. */
@Module({ providers: [RetentionService], exports: [RetentionService] })
export class RetentionModule {}
