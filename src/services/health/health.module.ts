import { Global, Module } from '@nestjs/common';
import { DatabaseHealth } from './database-health.js';
import { HealthService } from './health.service.js';

@Global()
@Module({ providers: [HealthService, DatabaseHealth], exports: [HealthService] })
export class HealthModule {}
