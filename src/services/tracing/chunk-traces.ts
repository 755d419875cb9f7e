import { Logger } from '@nestjs/common';
import type { Attributes, Span } from '@opentelemetry/api';
import type { SqlClient } from '../../interfaces/sql.js';
import { isDecided } from '../queue/to-settlement.js';
import type { SettledChunk, SettledOperation } from '../queue/operation-record.js';
import { selectTraces, type TracedRow } from './chunk-traces.sql.js';
import { contextOf, isTracing, linksTo, markFailed, MAX_LINKS, startSpan } from './tracing.js';

/** A chunk that is committed. */
export interface TracedChunk {
  settled: SettledChunk;
  operations: readonly SettledOperation[];
}

/**
 * The spans of a chunk. A chunk has many callers, so it is a trace of its own, with links to them. In the trace of each caller, a span
 * `batch.settle` tells what became of its operations, and links to the chunk. All of it is made after the commit, and nothing of it can
 * fail the chunk. Without an SDK it costs nothing, not even a query.
 */
export class ChunkTraces {
  private readonly logger = new Logger(ChunkTraces.name);

  constructor(private readonly database: SqlClient) {}

  /** Undefined when there is nothing to wait for. */
  committed(chunk: TracedChunk): Promise<void> | undefined {
    return isTracing() ? this.trace(chunk) : undefined;
  }

  /** A chunk that was undone: its operations stay in the queue. */
  undone(error: unknown, claimedAt: number, operations: number): void {
    if (!isTracing() || operations === 0) return;
    const attributes = { ...DATABASE, 'batch.chunk.claimed': operations };
    const span = startSpan('batch.chunk', { startTime: claimedAt, attributes });
    // Without the message, which may quote values of a row.
    markFailed(span, (error as { code?: string }).code ?? (error as Error).name);
    span.end();
  }

  private async trace({ settled, operations }: TracedChunk): Promise<void> {
    const endTime = Date.now();
    const verdicts = new Map(operations.filter(isDecided).map(({ operation, outcome }) => [operation.seq, outcome]));
    const traced = await this.tracesOf([...verdicts.keys()]);
    const chunk = startChunk(settled, traced);
    for (const { traceparent, seqs, id } of traced) {
      const outcomes = seqs.split(',').map((seq) => verdicts.get(Number(seq)));
      const errors = outcomes.flatMap((outcome) => (outcome?.status === 'failed' ? [outcome.error.code] : []));
      const attributes: Attributes = {
        'batch.chunk.id': settled.id,
        'batch.operations': outcomes.length,
        'batch.operations.failed': errors.length,
        ...(id !== null && { 'batch.operation.id': id }),
      };
      const links = [{ context: chunk.spanContext() }];
      const span = startSpan(
        'batch.settle',
        { startTime: settled.startedAt, attributes, links },
        contextOf(traceparent),
      );
      const [code] = errors;
      if (code !== undefined) markFailed(span, code);
      span.end(endTime);
    }
    chunk.end(endTime);
  }

  private async tracesOf(seqs: readonly number[]): Promise<TracedRow[]> {
    try {
      return (await this.database.query<TracedRow>(selectTraces(seqs, MAX_LINKS))).rows;
    } catch (error) {
      this.logger.debug({ message: 'The traces of a chunk could not be read', err: error });
      return [];
    }
  }
}

const DATABASE: Attributes = { 'db.system.name': 'postgresql' };

function startChunk(settled: SettledChunk, traced: readonly TracedRow[]): Span {
  const { id, startedAt, worker, completed, deferred, groups, statements, fallback, failedByCode, timer } = settled;
  const failed = [...failedByCode.values()].reduce((sum, count) => sum + count, 0);
  const phases = Object.entries(timer.phases).map(([phase, ms]) => [`batch.chunk.${phase}_ms`, ms]);
  return startSpan('batch.chunk', {
    startTime: startedAt,
    links: linksTo(traced.map(({ traceparent }) => traceparent)),
    attributes: {
      ...DATABASE,
      'db.operation.batch.size': completed + failed,
      'batch.chunk.id': id,
      'batch.worker': worker,
      'batch.chunk.completed': completed,
      'batch.chunk.failed': failed,
      'batch.chunk.deferred': deferred,
      'batch.chunk.groups': groups,
      'batch.chunk.statements': statements,
      'batch.chunk.isolated': fallback,
      ...(Object.fromEntries(phases) as Attributes),
    },
  });
}
