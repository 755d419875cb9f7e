import { Inject, Injectable, Logger } from '@nestjs/common';
import { backOffMs, type BackOff } from '../../interfaces/back-off.js';
import type { SqlClient } from '../../interfaces/sql.js';
import { SETTINGS, type Settings } from '../config/settings.js';
import { DatabaseService } from '../database/database.service.js';
import { cutText } from '../errors/cut-text.js';
import { messageOf } from '../errors/message-of.js';
import { MetricsService } from '../observability/metrics.service.js';
import type { AlertChannel } from './alert-message.js';
import {
  beginTry,
  giveUp,
  recordFailure,
  recordSent,
  selectDue,
  type DueDelivery,
  type GivenUp,
} from './alerts.sql.js';
import { toDigests, toMessage } from './digest.js';
import { hideSecrets } from './hide-secrets.js';

const RETRY: BackOff = { initialMs: 5000, maxMs: 600_000, jitter: 0.2 };
const SEND_TIMEOUT_MS = 10_000;
const GIVE_UP_AFTER_MS = 24 * 3_600_000;
/** The rules are evaluated again after so many messages, and after so long. */
const MESSAGES_A_ROUND = 100;
const ROUND_MS = 10_000;
const LONGEST_REASON = 500;

/**
 * Sends the stored messages of alerts. It promises that a message which a channel accepted is not sent there again, whatever other channels
 * do, and that a message which was not accepted is tried again for a day. If the process dies while it sends, the message is sent twice,
 * with the same id.
 */
@Injectable()
export class DeliveryService {
  private readonly logger = new Logger('Alerts');

  constructor(
    @Inject(SETTINGS) private readonly settings: Settings,
    private readonly database: DatabaseService,
    private readonly metrics: MetricsService,
  ) {}

  /** Sends what is due. @param leader fails when another process leads: only one sends */
  async deliver(leader: SqlClient, channels: readonly AlertChannel[], signal: AbortSignal): Promise<void> {
    await Promise.all(channels.map((channel) => this.deliverTo(channel, leader, signal)));
    await this.giveUp(leader);
  }

  /** A channel that fails is left alone until the next round, where the messages behind the failed one are tried. */
  private async deliverTo(channel: AlertChannel, leader: SqlClient, signal: AbortSignal): Promise<void> {
    const { rows: due } = await leader.query<DueDelivery>(selectDue(channel.name, MESSAGES_A_ROUND));
    const endsAt = performance.now() + ROUND_MS;
    for (const deliveries of toDigests(due)) {
      if (signal.aborted || performance.now() > endsAt) return;
      // With the lock's connection: a process that has lost the lock stops here.
      await leader.query(beginTry(idsOf(deliveries), SEND_TIMEOUT_MS));
      if (!(await this.send(channel, deliveries))) return;
    }
  }

  /** A stop of the process does not break it off: the receiver may have the message already, and would get it twice. */
  private async send(channel: AlertChannel, deliveries: readonly DueDelivery[]): Promise<boolean> {
    const message = toMessage(deliveries, this.settings.alerts.name);
    const { event, attempts } = deliveries[0]!;
    const { title } = message;
    try {
      await channel.send(message, AbortSignal.timeout(SEND_TIMEOUT_MS));
    } catch (error) {
      await this.failed(channel, { ids: idsOf(deliveries), event, title, attempts }, error);
      return false;
    }
    // With a connection of the pool: it was sent, also when the lock is lost meanwhile.
    await this.database.query(recordSent(idsOf(deliveries)));
    this.metrics.recordAlertDelivery(channel.name, 'sent');
    this.logger.log({
      message: 'Alert was sent',
      ...{ channel: channel.name, event, title, ...(attempts > 0 && { tries: attempts + 1 }) },
    });
    return true;
  }

  private async failed(channel: AlertChannel, { ids, event, title, attempts }: FailedTry, why: unknown): Promise<void> {
    const againInMs = backOffMs(RETRY, attempts);
    const reason = cutText(hideSecrets(messageOf(why), this.settings), LONGEST_REASON);
    await this.database.query(recordFailure(ids, reason, againInMs));
    this.metrics.recordAlertDelivery(channel.name, 'failed');
    this.logger.warn({
      message: 'Alert could not be sent; it is tried again',
      ...{ channel: channel.name, event, title, tries: attempts + 1, againInMs, reason },
    });
  }

  private async giveUp(leader: SqlClient): Promise<void> {
    const { rows } = await leader.query<GivenUp>(giveUp(GIVE_UP_AFTER_MS));
    for (const { channel, title, attempts, error: reason } of rows) {
      this.metrics.recordAlertDelivery(channel, 'gave_up');
      this.logger.error({ message: 'Alert could not be sent for a day', channel, title, tries: attempts, reason });
    }
  }
}

type FailedTry = Pick<DueDelivery, 'event' | 'title' | 'attempts'> & { ids: readonly string[] };

const idsOf = (deliveries: readonly DueDelivery[]): string[] => deliveries.map(({ id }) => id);
