import { Injectable } from '@nestjs/common';
import { ALERT_RULES, type AlertChannelName, type AlertRule } from '../../interfaces/alert.js';
import type { RetryReason } from '../../interfaces/operation.js';
import type { IStats } from '../../interfaces/stats.js';
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';

const CHUNK_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const CHUNK_OPERATIONS = [1, 5, 10, 50, 100, 250, 500, 1000, 2500, 5000, 10_000];
/** The label of an operation without a failure, so that the label is never empty. */
const NO_CODE = 'none';

export interface ChunkCounts {
  durationMs: number;
  completed: number;
  /** Failed operations by code. */
  failedByCode: ReadonlyMap<string, number>;
  /** SQL statements that were sent to the target tables. */
  statements: number;
  /** True when bad operations had to be isolated. */
  fallback: boolean;
}

/** How a request came in. */
export type Transport = 'rest' | 'rabbitmq';

/**
 * Counts what the process did, and renders it for Prometheus. Each instance has its own registry. It does not count
 * what the queue contains: callers of `render` pass that.
 */
@Injectable()
export class MetricsService {
  private readonly registry = new Registry();
  private readonly registers = [this.registry];
  private readBacklog: ((backlog: 'pending' | 'scheduled') => number | undefined) | undefined;
  private readInFlightBytes: (() => number) | undefined;
  private readWaitingMessages: (() => number) | undefined;

  private readonly accepted = this.counter('batch_operations_accepted_total', 'Operations stored in the queue');
  private readonly refused = this.counter(
    'batch_operations_refused_total',
    'Operations refused at intake, by error code',
    ['code'],
  );
  private readonly requestsRefused = this.counter(
    'batch_requests_refused_total',
    'Requests and events that were answered with an error, by transport and error code',
    ['transport', 'code'],
  );
  private readonly settled = this.counter(
    'batch_operations_settled_total',
    'Operations settled or cancelled by this process',
    ['outcome', 'code'],
  );
  private readonly statements = this.counter('batch_statements_total', 'SQL statements sent to the target tables');
  private readonly fallbacks = this.counter(
    'batch_chunk_fallbacks_total',
    'Chunks in which bad operations were isolated',
  );
  private readonly retries = this.counter('batch_chunk_retries_total', 'Chunks tried again after a transient fault');
  private readonly bugs = this.counter(
    'batch_bugs_total',
    'Errors of the service itself, by what it was doing; no operation fails because of them',
    ['place'],
  );
  private readonly operationRetries = this.counter(
    'batch_operation_retries_total',
    'Operations deferred after a failure to be tried again, by what they wait for',
    ['reason'],
  );
  private readonly notifications = this.counter('batch_notifications_published_total', 'Notifications confirmed');
  private readonly unrouted = this.counter(
    'batch_notifications_unrouted_total',
    'Notifications of a source for which no queue was bound',
  );
  private readonly expired = this.counter(
    'batch_requests_expired_total',
    'RPC requests that the broker dropped because their callers had stopped waiting',
  );
  private readonly parked = this.counter(
    'batch_messages_parked_total',
    'Messages put into the queue <queue>.parked, where they wait for a decision, by code',
    ['code'],
  );
  private readonly deleted = this.counter(
    'batch_retention_deleted_total',
    'Operations by outcome, and chunks, deleted because of their age',
    ['kind'],
  );

  private readonly alertDeliveries = this.counter(
    'batch_alert_deliveries_total',
    'Tries to send a message of an alert, by channel and result: sent, failed (it is tried again) or gave_up',
    ['channel', 'result'],
  );

  private readonly alertsFiring = this.gauge(
    'batch_alerts_firing',
    'Alerts that go on, by rule, as the process that evaluates the rules sees them; of all others 0',
    ['rule'],
  );
  private readonly pending = this.gauge('batch_operations_pending', 'Operations that wait for the next chunk');
  private readonly scheduled = this.gauge('batch_operations_scheduled', 'Operations that wait for their time');
  private readonly oldestPending = this.gauge('batch_oldest_pending_seconds', 'Age of the oldest pending operation');
  private readonly parkedLanes = this.gauge(
    'batch_lanes_parked',
    'Lanes that wait until they are resumed or the blocking operation is cancelled',
  );
  private readonly blockedLanes = this.gauge(
    'batch_lanes_blocked',
    'Lanes that do not go on, by cause: their chunk waits for a lock, they are closed by an open transaction, a fault, or parked',
    ['cause'],
  );
  private readonly workers = this.gauge('batch_workers', 'Workers that were seen in the last seconds');
  private readonly pendingNotifications = this.gauge(
    'batch_notifications_pending',
    'Chunks whose callers were not notified yet',
  );
  private readonly parkedNotifications = this.gauge(
    'batch_notifications_parked',
    'Notifications that the broker refuses while it accepts others; each is for one chunk and one source',
  );
  private readonly backlog = this.gauge(
    'batch_backlog_operations',
    'Waiting operations as intake knows them, pending and scheduled, counted up to the limit, plus those accepted since; NaN: not known',
    ['backlog'],
  );
  private readonly inFlightBytes = this.gauge(
    'batch_in_flight_bytes',
    'Bodies of the requests that this process is answering',
  );
  private readonly waitingMessages = this.gauge(
    'batch_messages_waiting',
    'Messages that this process took from the queue and has not begun: events that wait until a fault is over',
  );

  private readonly chunkDuration = new Histogram({
    name: 'batch_chunk_duration_seconds',
    help: 'From the claim of a chunk to its commit',
    buckets: CHUNK_SECONDS,
    registers: this.registers,
  });
  private readonly chunkOperations = new Histogram({
    name: 'batch_chunk_operations',
    help: 'Operations settled by one chunk',
    buckets: CHUNK_OPERATIONS,
    registers: this.registers,
  });

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }

  recordAccepted(count: number): void {
    this.accepted.inc(count);
  }

  /** Operations that intake refused. One request may contain many. */
  recordRefused(code: string, count = 1): void {
    this.refused.inc({ code }, count);
  }

  recordRequestRefused(transport: Transport, code: string): void {
    this.requestsRefused.inc({ transport, code });
  }

  recordCancelled(operations = 1): void {
    this.settled.inc({ outcome: 'cancelled', code: NO_CODE }, operations);
  }

  recordChunk({ durationMs, completed, failedByCode, statements, fallback }: ChunkCounts): void {
    let operations = completed;
    if (completed > 0) this.settled.inc({ outcome: 'completed', code: NO_CODE }, completed);
    for (const [code, count] of failedByCode) {
      this.settled.inc({ outcome: 'failed', code }, count);
      operations += count;
    }
    this.chunkDuration.observe(durationMs / 1000);
    this.chunkOperations.observe(operations);
    this.statements.inc(statements);
    if (fallback) this.fallbacks.inc();
  }

  recordChunkRetry(): void {
    this.retries.inc();
  }

  recordBug(place: string): void {
    this.bugs.inc({ place });
  }

  recordOperationRetry(reason: RetryReason): void {
    this.operationRetries.inc({ reason });
  }

  recordNotifications(count: number): void {
    this.notifications.inc(count);
  }

  recordNotificationsUnrouted(count: number): void {
    this.unrouted.inc(count);
  }

  recordRequestExpired(): void {
    this.expired.inc();
  }

  recordMessageParked(code: string): void {
    this.parked.inc({ code });
  }

  /** `kind`: `completed`, `failed` or `cancelled` for operations, or `chunk`. */
  recordDeleted(kind: string, count: number): void {
    this.deleted.inc({ kind }, count);
  }

  recordAlertDelivery(channel: AlertChannelName, result: 'sent' | 'failed' | 'gave_up'): void {
    this.alertDeliveries.inc({ channel, result });
  }

  /** @param rules the rule of each alert that goes on; none when another process evaluates the rules */
  recordAlertsFiring(rules: readonly AlertRule[]): void {
    for (const rule of ALERT_RULES) this.alertsFiring.set({ rule }, rules.filter((each) => each === rule).length);
  }

  readBacklogBy(read: (backlog: 'pending' | 'scheduled') => number | undefined): void {
    this.readBacklog = read;
  }

  readInFlightBytesBy(read: () => number): void {
    this.readInFlightBytes = read;
  }

  readWaitingMessagesBy(read: () => number): void {
    this.readWaitingMessages = read;
  }

  /** @param queue what the queue contains now. Undefined: the database does not answer, so its gauges are NaN */
  async render(queue?: IStats): Promise<{ contentType: string; body: string }> {
    this.pending.set(queue?.pending ?? NaN);
    this.scheduled.set(queue?.scheduled ?? NaN);
    this.oldestPending.set(queue === undefined ? NaN : queue.lagMs / 1000);
    this.parkedLanes.set(queue?.parkedLanes ?? NaN);
    this.setBlockedLanes(queue);
    this.workers.set(queue?.workers ?? NaN);
    this.pendingNotifications.set(queue?.pendingNotifications ?? NaN);
    this.parkedNotifications.set(queue?.parkedNotifications ?? NaN);
    for (const backlog of ['pending', 'scheduled'] as const) {
      this.backlog.set({ backlog }, this.readBacklog?.(backlog) ?? NaN);
    }
    this.inFlightBytes.set(this.readInFlightBytes?.() ?? 0);
    this.waitingMessages.set(this.readWaitingMessages?.() ?? 0);
    return { contentType: this.registry.contentType, body: await this.registry.metrics() };
  }

  private setBlockedLanes(queue: IStats | undefined): void {
    const { blockedLanes = NaN, lockedLanes = NaN, closedLanes = NaN, parkedLanes = NaN } = queue ?? {};
    this.blockedLanes.set({ cause: 'lock' }, lockedLanes);
    this.blockedLanes.set({ cause: 'open_transaction' }, closedLanes);
    this.blockedLanes.set({ cause: 'parked' }, parkedLanes);
    this.blockedLanes.set({ cause: 'fault' }, blockedLanes - lockedLanes - closedLanes - parkedLanes);
  }

  private counter<Label extends string = never>(name: string, help: string, labelNames: Label[] = []): Counter<Label> {
    return new Counter({ name, help, labelNames, registers: this.registers });
  }

  private gauge<Label extends string = never>(name: string, help: string, labelNames: Label[] = []): Gauge<Label> {
    return new Gauge({ name, help, labelNames, registers: this.registers });
  }
}
