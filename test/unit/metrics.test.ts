import { describe, expect, it } from 'vitest';
import type { IStats } from '../../src/interfaces/stats.js';
import { MetricsService } from '../../src/services/observability/metrics.service.js';

const NO_FAILURES = new Map<string, number>();

async function rendered(metrics: MetricsService, queue?: IStats): Promise<string[]> {
  return (await metrics.render(queue)).body.split('\n');
}

describe('the metrics', () => {
  it('count settled operations by outcome and code, statements, fallbacks and chunks', async () => {
    const metrics = new MetricsService();

    metrics.recordChunk({ durationMs: 40, completed: 993, failedByCode: NO_FAILURES, statements: 3, fallback: false });
    metrics.recordChunk({
      durationMs: 400,
      completed: 5,
      failedByCode: new Map([['UNIQUE_VIOLATION', 2]]),
      statements: 9,
      fallback: true,
    });

    const lines = await rendered(metrics);
    expect(lines).toContain('batch_operations_settled_total{outcome="completed",code="none"} 998');
    expect(lines).toContain('batch_operations_settled_total{outcome="failed",code="UNIQUE_VIOLATION"} 2');
    expect(lines).toContain('batch_statements_total 12');
    expect(lines).toContain('batch_chunk_fallbacks_total 1');
    expect(lines).toContain('batch_chunk_duration_seconds_count 2');
    expect(lines).toContain('batch_chunk_duration_seconds_bucket{le="0.05"} 1');
    expect(lines).toContain('batch_chunk_operations_sum 1000');
  });

  it('count operations that were accepted, refused, cancelled and retried, and notifications', async () => {
    const metrics = new MetricsService();

    metrics.recordAccepted(7);
    metrics.recordAccepted(3);
    metrics.recordRefused('UNKNOWN_TARGET');
    metrics.recordRequestRefused('rest', 'OPERATION_NOT_FOUND');
    metrics.recordCancelled();
    metrics.recordChunkRetry();
    metrics.recordNotifications(4);

    const lines = await rendered(metrics);
    expect(lines).toContain('batch_operations_accepted_total 10');
    expect(lines).toContain('batch_operations_refused_total{code="UNKNOWN_TARGET"} 1');
    expect(lines).toContain('batch_requests_refused_total{transport="rest",code="OPERATION_NOT_FOUND"} 1');
    expect(lines).toContain('batch_operations_settled_total{outcome="cancelled",code="none"} 1');
    expect(lines).toContain('batch_chunk_retries_total 1');
    expect(lines).toContain('batch_notifications_published_total 4');
  });

  it('tell what the queue contains at each scrape', async () => {
    const metrics = new MetricsService();
    const queue: IStats = {
      pending: 5,
      pendingIsExact: true,
      scheduled: 2,
      scheduledIsExact: true,
      lagMs: 1500,
      lockedLanes: 1,
      closedLanes: 2,
      blockedLanes: 9,
      parkedLanes: 3,
      pausedLanes: 0,
      workers: 4,
      failed: 0,
      failedIsExact: true,
      lastMinute: { chunks: 0, completed: 0, failed: 0, statements: 0 },
      pendingNotifications: 6,
      parkedNotifications: 7,
    };

    const first = await rendered(metrics, queue);
    const second = await rendered(metrics, { ...queue, pending: 6 });

    expect(first).toContain('batch_operations_pending 5');
    expect(first).toContain('batch_operations_scheduled 2');
    expect(first).toContain('batch_oldest_pending_seconds 1.5');
    expect(first).toContain('batch_lanes_parked 3');
    expect(first.filter((line) => line.startsWith('batch_lanes_blocked{'))).toEqual([
      'batch_lanes_blocked{cause="lock"} 1',
      'batch_lanes_blocked{cause="open_transaction"} 2',
      'batch_lanes_blocked{cause="parked"} 3',
      'batch_lanes_blocked{cause="fault"} 3',
    ]);
    expect(first).toContain('batch_workers 4');
    expect(first).toContain('batch_notifications_pending 6');
    expect(first).toContain('batch_notifications_parked 7');
    expect(second).toContain('batch_operations_pending 6');
  });

  it('are whole but for the depth of the queue while the database does not answer', async () => {
    const metrics = new MetricsService();
    metrics.recordAccepted(1);

    const lines = await rendered(metrics);

    expect(lines).toContain('batch_operations_pending Nan');
    expect(lines).toContain('batch_operations_accepted_total 1');
  });

  it('come in the format that Prometheus asks for, with those of the process', async () => {
    const { contentType, body } = await new MetricsService().render();

    expect(contentType).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(body).toMatch(/^process_cpu_seconds_total /m);
    expect(body).toMatch(/^nodejs_eventloop_lag_seconds /m);
  });
});
