import { Module } from '@nestjs/common';
import { QueueMetricsModule } from '../../services/observability/queue-metrics.module.js';
import { HealthController } from './health.controller.js';
import { MetricsController } from './metrics.controller.js';

/** Endpoints in which machines ask a process about itself, in every role: `/health/*` and `/metrics`. */
@Module({ imports: [QueueMetricsModule], controllers: [HealthController, MetricsController] })
export class ProbesModule {}
