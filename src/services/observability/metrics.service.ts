import { Injectable } from '@nestjs/common';
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';

const CHUNK_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const CHUNK_OPERATIONS = [1, 5, 10, 50, 100, 250, 500, 1000, 2500, 5000, 10_000];
/** What an operation without a failure is counted under, so that the label is never empty. */
const NO_CODE = 'none';

export interface SettledChunk {
  durationMs: number;
  completed: number;
  /** Failed operations by code. */
  failedByCode: ReadonlyMap<string, number>;
  /** SQL statements sent to the target tables. */
  statements: number;
  /** True when bad operations had to be isolated. */
  fallback: boolean;
}

/** How a request came in. */
export type Transport = 'rest' | 'rabbitmq' | 'tcp';

/** What the queue holds now, read when somebody asks. */
export interface QueueDepth {
  pending: number;
  scheduled: number;
  oldestPendingSeconds: number;
}

/**
 * Counts what the process did, and renders it for Prometheus. Each instance has a registry of its own. What the queue
 * holds is not counted but asked for, by the function given to `readQueueDepthBy`.
 */
@Injectable()
export class MetricsService {
  private readonly registry = new Registry();
  private readonly registers = [this.registry];
  private readQueueDepth: (() => Promise<QueueDepth>) | undefined;

  private readonly accepted = this.counter('batch_operations_accepted_total', 'Operations stored in the queue');
  private readonly refused = this.counter(
    'batch_operations_refused_total',
    'Operations refused at the intake, by error code',
    ['code'],
  );
  private readonly requestsRefused = this.counter(
    'batch_requests_refused_total',
    'Requests and events answered with an error, whatever they asked for, by transport and error code',
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
  private readonly notifications = this.counter('batch_notifications_published_total', 'Notifications confirmed');

  private readonly pending = this.gauge('batch_operations_pending', 'Operations that wait for the next chunk');
  private readonly scheduled = this.gauge('batch_operations_scheduled', 'Operations that wait for their time');
  private readonly oldestPending = this.gauge('batch_oldest_pending_seconds', 'Age of the oldest pending operation');

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

  /** An operation that the intake did not take; one request may carry many. */
  recordRefused(code: string): void {
    this.refused.inc({ code });
  }

  recordRequestRefused(transport: Transport, code: string): void {
    this.requestsRefused.inc({ transport, code });
  }

  recordCancelled(): void {
    this.settled.inc({ outcome: 'cancelled', code: NO_CODE });
  }

  recordChunk({ durationMs, completed, failedByCode, statements, fallback }: SettledChunk): void {
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

  recordNotifications(count: number): void {
    this.notifications.inc(count);
  }

  /** `read` is called at every `render`; what it says while it fails is "not known". */
  readQueueDepthBy(read: () => Promise<QueueDepth>): void {
    this.readQueueDepth = read;
  }

  /** Prometheus' text format. Without an answer of the database the gauges of the queue are NaN, the rest is whole. */
  async render(): Promise<{ contentType: string; body: string }> {
    const depth = await this.readQueueDepth?.().catch(() => undefined);
    this.pending.set(depth?.pending ?? NaN);
    this.scheduled.set(depth?.scheduled ?? NaN);
    this.oldestPending.set(depth?.oldestPendingSeconds ?? NaN);
    return { contentType: this.registry.contentType, body: await this.registry.metrics() };
  }

  private counter<Label extends string = never>(name: string, help: string, labelNames: Label[] = []): Counter<Label> {
    return new Counter({ name, help, labelNames, registers: this.registers });
  }

  private gauge(name: string, help: string): Gauge {
    return new Gauge({ name, help, registers: this.registers });
  }
}
