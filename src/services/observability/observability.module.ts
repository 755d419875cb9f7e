import { Global, Module } from '@nestjs/common';
import { MetricsService } from './metrics.service.js';

/** Metrics for every part of the service. Logging needs no module: `new Logger(…)` of Nest uses `createLogger`. */
@Global()
@Module({ providers: [MetricsService], exports: [MetricsService] })
export class ObservabilityModule {}
