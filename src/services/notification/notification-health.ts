import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { SETTINGS, type Settings } from '../config/settings.js';
import { DatabaseService } from '../database/database.service.js';
import { HealthService, type HealthContributor } from '../health/health.service.js';
import { countParkedNotifications } from './notification.sql.js';
import { NotifierService } from './notifier.service.js';

/** A failure is reported after this time, because a broker that restarts is back before. */
const TOLD_AFTER_MS = 30_000;

/** Shows in readiness that notifications are not sent. The process stays ready, because everything else works. */
@Injectable()
export class NotificationHealth implements HealthContributor, OnModuleInit {
  readonly name = 'notifications';
  readonly optional = true;
  private asking: Promise<string | undefined> | undefined;

  constructor(
    @Inject(SETTINGS) private readonly settings: Settings,
    private readonly health: HealthService,
    private readonly database: DatabaseService,
    private readonly notifier: NotifierService,
  ) {}

  onModuleInit(): void {
    if ((this.settings.rabbitmq ?? this.settings.notificationTcpUrl) !== undefined) this.health.register(this);
  }

  /** Only one query at a time. Otherwise a database that does not answer would use up the connections of the pool. */
  check(): Promise<string | undefined> {
    this.asking ??= this.ask().finally(() => (this.asking = undefined));
    return this.asking;
  }

  /** It names no source and no reason, because callers without a key can see the health. */
  private async ask(): Promise<string | undefined> {
    const { failingForMs } = this.notifier;
    if (failingForMs > TOLD_AFTER_MS) {
      return `no notification could be sent for ${Math.round(failingForMs / 1000)} s; the log says why`;
    }
    const { rows } = await this.database.query<{ total: number; chunkId: string }>(countParkedNotifications());
    const { total, chunkId } = rows[0]!;
    if (total === 0) return undefined;
    return `parked notifications that the broker refuses: ${total}, the oldest of chunk ${chunkId}; GET /api/v1/notifications shows the reasons`;
  }
}
