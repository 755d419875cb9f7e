import { Module } from '@nestjs/common';
import { AlertsModule } from '../../services/alerts/alerts.module.js';
import { ExplainModule } from '../../services/explain/explain.module.js';
import { IntakeModule } from '../../services/intake/intake.module.js';
import { OutcomesModule } from '../../services/outcomes/outcomes.module.js';
import { PausesModule } from '../../services/pauses/pauses.module.js';
import { RabbitmqModule } from '../../services/rabbitmq/rabbitmq.module.js';
import { QueueModule } from '../../services/queue/queue.module.js';
import { AccessController } from './access.controller.js';
import { AlertsController } from './alerts.controller.js';
import { BulkActionsModule } from '../../services/bulk-actions/bulk-actions.module.js';
import { AuditController } from './audit.controller.js';
import { BulkActionsController } from './bulk-actions.controller.js';
import { ChunksController } from './chunks.controller.js';
import { FailuresController } from './failures.controller.js';
import { HealthController } from './health.controller.js';
import { JobExecutionsController } from './job-executions.controller.js';
import { JobsController } from './jobs.controller.js';
import { LanesController } from './lanes.controller.js';
import { MetricsController } from './metrics.controller.js';
import { NotificationsController } from './notifications.controller.js';
import { ParkedMessagesController } from './parked-messages.controller.js';
import { OperationsController } from './operations.controller.js';
import { PausesController } from './pauses.controller.js';
import { StatsController } from './stats.controller.js';
import { WorkersController } from './workers.controller.js';

/** Endpoints in which machines ask a process about itself, in every role: `/health/*` and `/metrics`. */
@Module({ imports: [OutcomesModule], controllers: [HealthController, MetricsController] })
export class ProbesModule {}

@Module({
  imports: [
    AlertsModule,
    BulkActionsModule,
    IntakeModule,
    ExplainModule,
    OutcomesModule,
    PausesModule,
    QueueModule,
    RabbitmqModule,
  ],
  controllers: [
    OperationsController,
    BulkActionsController,
    ChunksController,
    LanesController,
    PausesController,
    NotificationsController,
    StatsController,
    FailuresController,
    ParkedMessagesController,
    WorkersController,
    AccessController,
    AlertsController,
    AuditController,
    JobsController,
    JobExecutionsController,
  ],
})
export class HttpModule {}
