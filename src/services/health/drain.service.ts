import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { HealthService } from './health.service.js';

/**
 * Knows when the process has begun to stop. From then on it is not ready, so that load balancers choose other
 * processes.
 */
@Injectable()
export class DrainService implements OnModuleDestroy {
  private stopping = false;

  constructor(private readonly health: HealthService) {}

  get begun(): boolean {
    return this.stopping;
  }

  /** The first step of a shutdown. */
  onModuleDestroy(): void {
    this.stopping = true;
    this.health.register({ name: 'process', check: () => 'stopping' });
  }
}
