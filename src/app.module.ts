import { Module, type DynamicModule } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { AccessGuard } from './controllers/access.guard.js';
import { NoBodyGuard } from './controllers/http/no-body.guard.js';
import { HttpModule, ProbesModule } from './controllers/http/http.module.js';
import { RpcModule } from './controllers/rpc/rpc.module.js';
import { BatchEngineModule } from './jobs/batch-engine.module.js';
import { JobsModule } from './jobs/jobs.module.js';
import { AccessModule } from './services/access/access.module.js';
import { AlertsModule } from './services/alerts/alerts.module.js';
import { BackpressureModule } from './services/backpressure/backpressure.module.js';
import { BulkActionsModule } from './services/bulk-actions/bulk-actions.module.js';
import { CatalogModule } from './services/catalog/catalog.module.js';
import { ConfigModule } from './services/config/config.module.js';
import type { Settings } from './services/config/settings.js';
import { DatabaseModule } from './services/database/database.module.js';
import { ExplainModule } from './services/explain/explain.module.js';
import { HealthModule } from './services/health/health.module.js';
import { IntakeModule } from './services/intake/intake.module.js';
import { NotificationModule } from './services/notification/notification.module.js';
import { ObservabilityModule } from './services/observability/observability.module.js';
import { OutcomesModule } from './services/outcomes/outcomes.module.js';
import { QueueModule } from './services/queue/queue.module.js';
import { RetentionModule } from './services/retention/retention.module.js';
import { WakeUpModule } from './services/wake-up/wake-up.module.js';

/** Every part uses these. */
const FOUNDATION = [DatabaseModule, ObservabilityModule, HealthModule, WakeUpModule, BackpressureModule, AccessModule];

/** Takes operations in, and answers callers. */
const API = [HttpModule, RpcModule, IntakeModule, CatalogModule, QueueModule, ExplainModule, OutcomesModule];

/** Executes operations, notifies their callers, and deletes old data. */
const WORKER = [CatalogModule, QueueModule, JobsModule, NotificationModule, RetentionModule];

/** The whole service, or the part of one role. The modules are in the order in which an operation passes them. */
@Module({})
export class AppModule {
  static forRole(settings: Settings): DynamicModule {
    return {
      module: AppModule,
      imports: [
        ConfigModule.forSettings(settings),
        ...FOUNDATION,
        ProbesModule,
        BatchEngineModule.forSettings(settings),
        BulkActionsModule,
        ...(settings.role === 'worker' ? [] : API),
        ...(settings.role === 'api' ? [] : WORKER),
        // In every role: an api has to tell that no worker is left.
        AlertsModule,
      ],
      // Every endpoint of HTTP. The message patterns name the guard themselves.
      providers: [
        { provide: APP_GUARD, useClass: AccessGuard },
        { provide: APP_GUARD, useClass: NoBodyGuard },
      ],
    };
  }
}
