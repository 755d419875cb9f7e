import { Module } from '@nestjs/common';
import { BulkActionsService } from './bulk-actions.service.js';

/** A part of every role: an action goes on where any process is left. */
@Module({ providers: [BulkActionsService], exports: [BulkActionsService] })
export class BulkActionsModule {}
