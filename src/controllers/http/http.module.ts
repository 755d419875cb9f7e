import { Module } from '@nestjs/common';
import { ExplainModule } from '../../services/explain/explain.module.js';
import { IntakeModule } from '../../services/intake/intake.module.js';
import { OutcomesModule } from '../../services/outcomes/outcomes.module.js';
import { QueueModule } from '../../services/queue/queue.module.js';
import { AuditController } from './audit.controller.js';
import { ChunksController } from './chunks.controller.js';
import { LanesController } from './lanes.controller.js';
import { NotificationsController } from './notifications.controller.js';
import { OperationsController } from './operations.controller.js';
import { StatsController } from './stats.controller.js';

/** REST. `ProbesModule` has health and metrics, which a worker has too. */
@Module({
  imports: [IntakeModule, ExplainModule, OutcomesModule, QueueModule],
  controllers: [
    OperationsController,
    ChunksController,
    LanesController,
    NotificationsController,
    StatsController,
    AuditController,
  ],
})
export class HttpModule {}
