import { Inject, Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { backOffMs, type BackOff } from '../../interfaces/back-off.js';
import { settledRoutingKey, type IOperationsSettledMessage } from '../../interfaces/settled-event.js';
import { SETTINGS, type Settings } from '../config/settings.js';
import { DatabaseService } from '../database/database.service.js';
import type { SqlClient } from '../../interfaces/sql.js';
import { cutText } from '../errors/cut-text.js';
import { MetricsService } from '../observability/metrics.service.js';
import { Poller } from '../poller/poller.js';
import { isTracing } from '../tracing/tracing.js';
import { WakeUpService } from '../wake-up/wake-up.service.js';
import {
  addUnrouted,
  markNotified,
  parkNotifications,
  postponeNotification,
  selectDueNotification,
  selectSettledOperations,
  selectUnnotifiedChunks,
  takeNotifierLock,
  unparkNotification,
  type DueNotification,
  type Refused,
  type SettledRow,
  type UnnotifiedChunk,
} from './notification.sql.js';
import { NotificationTraces } from './notification-traces.js';
import {
  notificationOf,
  SETTLED_PUBLISHER,
  type Published,
  type RefusedMessage,
  type SettledPublisher,
} from './settled-publisher.js';
import { splitNotification } from './split-notification.js';
import { UnroutedSources } from './unrouted-sources.js';

/**
 * The pause between rounds that fail. So the notifier notices within half a second that the database or the broker is
 * back. A round that fails costs only one query.
 */
const FAILED_ROUND: BackOff = { initialMs: 250, maxMs: 500, jitter: 0.25 };
/**
 * The pause until a parked notification is tried again. After a refusal, no parked notification is tried for the first
 * of these times. They are tried at all because a full queue may become empty. Usually only a new limit helps.
 */
const PARKED: BackOff = { initialMs: 60_000, maxMs: 3_600_000, jitter: 0 };

/** How a round ended. `full`: more chunks may wait. */
type RoundResult = 'full' | 'done';

/**
 * A round keeps a transaction open until its notifications are confirmed. A chunk that is settled meanwhile waits for the
 * next round, so a round is short: a caller with one operation must not wait for the notifications of an import.
 */
const CHUNKS_PER_ROUND = 100;
const OPERATIONS_PER_ROUND = 2000;
/** The share of the shutdown time that the notifier uses. Other parts stop after it. */
const FLUSH_SHARE = 1 / 3;
/**
 * If no message was accepted for this time, refused messages are parked even if no other message was accepted.
 * Otherwise a source whose queue is full, and that has more chunks than a round reads, would block all others.
 */
const PATIENCE_MS = 10_000;
/** The first failure is logged, and then every sixtieth: rounds follow each other within half a second. */
const FAILURES_TOLD_EVERY = 60;

/**
 * Notifies sources of what happened to their operations. It reads the chunks whose callers are not notified yet, and
 * publishes one notification for each source. When every message is confirmed, it marks the chunks. The database is the
 * outbox: each outcome is published at least once, in the order of the chunks, even if a process dies.
 *
 * If a notification is refused while others are accepted, it is parked and tried again at long intervals. All others go
 * on. Only one notifier works for a database at a time. The publisher implements the transport.
 */
@Injectable()
export class NotifierService implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(NotifierService.name);
  private readonly poller = new Poller({
    poll: async () => ((await this.notify()) === 'full' ? 0 : this.settings.poller.intervalMs),
    afterFailure: (error, failures) => this.afterFailure(error, failures),
  });
  /** Ends the subscription while the notifier works. */
  private unsubscribe: (() => void) | undefined;
  /** The time of the first of the failures in a row, by `performance.now()`. */
  private failingSince: number | undefined;
  /** True when the last round was refused as a whole. */
  private refusing = false;
  private readonly unroutedSources = new UnroutedSources();

  constructor(
    @Inject(SETTINGS) private readonly settings: Settings,
    @Inject(SETTLED_PUBLISHER) private readonly publisher: SettledPublisher | undefined,
    private readonly database: DatabaseService,
    private readonly wakeUp: WakeUpService,
    private readonly metrics: MetricsService,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    if (this.publisher === undefined || this.unsubscribe !== undefined) return;
    await this.publisher.start();
    this.unsubscribe = this.wakeUp.onChunkSettled(() => this.poller.wake(0));
    this.poller.start();
  }

  /**
   * Sends the notifications of all chunks that are settled by now, if that works at once, and stops. It uses a third of
   * the time that the process has for stopping. The rest is sent after the next start. It runs after the poller of
   * operations has stopped (`beforeApplicationShutdown`), so that it includes the last chunk.
   */
  async onApplicationShutdown(): Promise<void> {
    const { publisher, unsubscribe } = this;
    if (publisher === undefined || unsubscribe === undefined) return;
    this.unsubscribe = undefined;
    unsubscribe();
    const flushMs = this.settings.shutdownTimeoutMs * FLUSH_SHARE;
    const deadline = performance.now() + flushMs;
    // Without this, a broker that does not answer would delay the round until its confirms time out.
    const cut = setTimeout(() => void publisher.stop(), flushMs);
    await this.poller.stop();
    try {
      while ((await this.notify()) === 'full' && performance.now() < deadline);
    } catch (error) {
      this.afterFailure(error, 1);
    }
    clearTimeout(cut);
    await publisher.stop();
  }

  /** For how many milliseconds no notification could be sent. 0 while sending works. */
  get failingForMs(): number {
    return this.failingSince === undefined ? 0 : performance.now() - this.failingSince;
  }

  private async notify(): Promise<RoundResult> {
    const result = await this.database.transaction((tx) => this.notifyOldest(tx, this.publisher!));
    this.failingSince = undefined;
    return result;
  }

  private afterFailure(error: unknown, failures: number): number {
    if (failures % FAILURES_TOLD_EVERY === 1) {
      this.logger.warn(`Notifications could not be sent; trying again: ${(error as Error).message}`);
    }
    this.failingSince ??= performance.now();
    return backOffMs(FAILED_ROUND, failures - 1);
  }

  /**
   * Its transaction holds the lock until the chunks are marked, so no message of another notifier overtakes an earlier
   * one. It holds no snapshot between its statements, so the wait for the confirms keeps no dead rows alive.
   */
  private async notifyOldest(tx: SqlClient, publisher: SettledPublisher): Promise<RoundResult> {
    // Both are sent together to save a round trip. Chunks that were read without the lock are not used.
    const [held, { rows: chunks }] = await Promise.all([
      holdsNotifierLock(tx),
      tx.query<UnnotifiedChunk>(selectUnnotifiedChunks(CHUNKS_PER_ROUND, OPERATIONS_PER_ROUND)),
    ]);
    if (!held) return 'done';
    if (chunks.length === 0) return this.retryParked(tx, publisher);
    const chunkIds = chunks.map(({ id }) => id);
    const messages = await this.messagesOf(tx, chunkIds);
    const refusedBefore = this.refusing || this.failingForMs > PATIENCE_MS;
    const { unrouted, refused } = await this.publish(tx, publisher, messages, refusedBefore);
    await tx.query(
      markNotified(
        chunkIds,
        unrouted.map(({ data }) => data),
      ),
    );
    if (refused.length > 0) await tx.query(parkNotifications(refused.map(toRefused), backOffMs(PARKED, 0)));
    const taken = takenOf(messages, refused);
    this.refusing = refused.length > 0 && taken.length === 0;
    this.metrics.recordNotifications(taken.length);
    this.tellUnrouted(unrouted);
    this.tellParked(refused);
    this.logger.debug({ msg: 'Notifications were sent', chunks: chunks.length, messages: messages.length });
    // More chunks may wait, or parked notifications.
    return 'full';
  }

  /** Sends one parked notification again, if one is due. It runs only when no other notification waits. */
  private async retryParked(tx: SqlClient, publisher: SettledPublisher): Promise<RoundResult> {
    const { rows } = await tx.query<DueNotification>(selectDueNotification());
    const [due] = rows;
    if (due === undefined) return 'done';
    const messages = (await this.messagesOf(tx, [due.chunkId])).filter(({ data }) => data.source === due.source);
    const { unrouted, refused } = await this.publish(tx, publisher, messages, true);
    const [again] = refused;
    if (unrouted.length > 0) await tx.query(addUnrouted(due));
    if (again === undefined) await tx.query(unparkNotification(due));
    else await tx.query(postponeNotification(toRefused(again), backOffMs(PARKED, due.failures), PARKED.initialMs));
    this.metrics.recordNotifications(takenOf(messages, refused).length);
    this.tellUnrouted(unrouted);
    this.logger.log({
      msg: again === undefined ? 'A parked notification was accepted' : 'A parked notification was refused again',
      ...due,
    });
    return 'full';
  }

  /** Over TCP there are no headers for a trace. */
  private publish(
    tx: SqlClient,
    publisher: SettledPublisher,
    messages: readonly IOperationsSettledMessage[],
    refusedBefore: boolean,
  ): Promise<Published> {
    if (!isTracing() || this.settings.rabbitmq === undefined) return publisher.publish(messages, { refusedBefore });
    return this.publishTraced(tx, publisher, messages, refusedBefore);
  }

  private async publishTraced(
    tx: SqlClient,
    publisher: SettledPublisher,
    messages: readonly IOperationsSettledMessage[],
    refusedBefore: boolean,
  ): Promise<Published> {
    const traces = await NotificationTraces.begin(tx, messages);
    try {
      const published = await publisher.publish(messages, { refusedBefore, headersOf: traces.headersOf });
      traces.published(published.refused);
      return published;
    } catch (error) {
      traces.failed(error);
      throw error;
    }
  }

  private async messagesOf(tx: SqlClient, chunkIds: readonly string[]): Promise<IOperationsSettledMessage[]> {
    const { rows } = await tx.query<SettledRow>(selectSettledOperations(chunkIds));
    return rows.flatMap((row) => splitNotification(row, this.settings.notificationMaxKb * 1024));
  }

  private tellParked(refused: readonly RefusedMessage[]): void {
    for (const { message, reason } of refused) {
      const { chunkId, source } = message.data;
      this.logger.error({
        msg: `${source} was not notified of its operations of chunk ${chunkId}: ${reason}. The notification is parked; all others go on`,
        chunkId,
        source,
      });
    }
  }

  private tellUnrouted(unrouted: readonly IOperationsSettledMessage[]): void {
    if (unrouted.length === 0) return;
    this.metrics.recordNotificationsUnrouted(unrouted.length);
    const sources = unrouted.map(({ data }) => data.source);
    for (const source of this.unroutedSources.toTell(sources, performance.now())) {
      this.logger.warn({
        msg: `Nobody is notified of the operations of ${source}: no queue is bound to the exchange with routing key ${settledRoutingKey(source)}`,
        source,
      });
    }
  }
}

/** The messages of notifications that were accepted completely. */
function takenOf(
  messages: readonly IOperationsSettledMessage[],
  refused: readonly RefusedMessage[],
): IOperationsSettledMessage[] {
  const notTaken = new Set(refused.map(({ message }) => notificationOf(message)));
  return messages.filter((message) => !notTaken.has(notificationOf(message)));
}

function toRefused({ message, reason }: RefusedMessage): Refused {
  return { chunkId: message.data.chunkId, source: message.data.source, reason: cutText(reason) };
}

async function holdsNotifierLock(tx: SqlClient): Promise<boolean> {
  const { rows } = await tx.query<{ held: boolean }>(takeNotifierLock());
  return rows[0]?.held === true;
}
