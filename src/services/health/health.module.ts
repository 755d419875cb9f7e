import { Global, Module } from '@nestjs/common';
import { WakeUpModule } from '../wake-up/wake-up.module.js';
import { BugsService } from './bugs.service.js';
import { DatabaseHealth } from './database-health.js';
import { DrainService } from './drain.service.js';
import { HealthService } from './health.service.js';
import { RedisHealth } from './redis-health.js';

@Global()
@Module({
  imports: [WakeUpModule],
  providers: [HealthService, BugsService, DatabaseHealth, RedisHealth, DrainService],
  exports: [HealthService, BugsService, DrainService],
})
export class HealthModule {}
