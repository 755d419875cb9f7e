import { Module } from '@nestjs/common';
import { RetentionService } from './retention.service.js';

/** A part of the worker. Deletes old operations and chunks. */
@Module({ providers: [RetentionService], exports: [RetentionService] })
export class RetentionModule {}
