import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { SETTINGS, type Settings } from '../config/settings.js';
import { WakeUpService } from '../wake-up/wake-up.service.js';
import { HealthService } from './health.service.js';

/** Shows whether Redis is there. Without it everything works, but later: a worker waits for its interval. */
@Injectable()
export class RedisHealth implements OnModuleInit {
  constructor(
    @Inject(SETTINGS) private readonly settings: Pick<Settings, 'redis'>,
    private readonly health: HealthService,
    private readonly wakeUp: WakeUpService,
  ) {}

  onModuleInit(): void {
    if (this.settings.redis === undefined) return;
    this.health.register({
      name: 'redis',
      optional: true,
      check: () => (this.wakeUp.connected === true ? undefined : 'not connected; workers wait for their interval'),
    });
  }
}
