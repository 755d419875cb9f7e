import { Global, Module } from '@nestjs/common';
import { WakeUpModule } from '../wake-up/wake-up.module.js';
import { BugsService } from './bugs.service.js';
import { HealthService } from './health.service.js';
import { ServersHealth } from './servers-health.js';

@Global()
@Module({
  imports: [WakeUpModule],
  providers: [HealthService, BugsService, ServersHealth],
  exports: [HealthService, BugsService],
})
export class HealthModule {}
