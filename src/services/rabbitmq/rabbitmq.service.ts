import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { SETTINGS, type Settings } from '../config/settings.js';
import { HealthService } from '../health/health.service.js';
import { RabbitmqConnection, type RabbitmqConnectionOptions } from './rabbitmq-connection.js';

/** Creates the connections of this process to RabbitMQ, and reports their state to health. */
@Injectable()
export class RabbitmqService implements OnModuleInit, OnApplicationShutdown {
  private readonly connections = new Set<RabbitmqConnection>();

  constructor(
    @Inject(SETTINGS) private readonly settings: Settings,
    private readonly health: HealthService,
  ) {}

  onModuleInit(): void {
    if (this.settings.rabbitmq === undefined) return;
    this.health.register({ name: 'rabbitmq', check: () => this.check() });
  }

  /** A connection that is not open yet. Its user opens it, and closes it when its own work is finished. */
  create(options: Omit<RabbitmqConnectionOptions, 'url' | 'certificates'>): RabbitmqConnection {
    if (this.settings.rabbitmq === undefined)
      throw new Error('No broker is configured: BATCH_SERVICE_RMQ_URL is not set');
    const { url, certificates } = this.settings.rabbitmq;
    const connection = new RabbitmqConnection({ ...options, url, certificates });
    this.connections.add(connection);
    return connection;
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all([...this.connections].map((connection) => connection.close()));
    this.connections.clear();
  }

  private check(): string | undefined {
    const connections = [...this.connections];
    const down = connections.filter(({ connected }) => !connected).map(({ name }) => name);
    if (down.length > 0) return `not connected: ${down.join(', ')}`;
    const blocked = connections.filter((connection) => connection.blocked !== undefined);
    if (blocked.length === 0) return undefined;
    return `the broker takes no messages: ${blocked.map(({ name, blocked: why }) => `${name} (${why})`).join(', ')}`;
  }
}
