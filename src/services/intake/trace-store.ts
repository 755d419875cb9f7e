import { ROOT_CONTEXT, SpanKind } from '@opentelemetry/api';
import type { NewOperation } from '../queue/new-operation.js';
import { contextOf, linksTo, markFailed, runInSpan, startSpan } from '../tracing/tracing.js';

/**
 * Makes a span of storing these operations, if one of them is traced. One statement serves many callers: for a single traced request the
 * span belongs to its trace, otherwise it links to all of them.
 */
export function traceStore<T>(operations: readonly NewOperation[], store: () => Promise<T>): Promise<T> {
  const traces = new Set<string>();
  for (const { traceContext } of operations) if (typeof traceContext === 'string') traces.add(traceContext);
  const [first] = traces;
  return first === undefined ? store() : inSpan(operations.length, traces, store);
}

async function inSpan<T>(operations: number, traces: ReadonlySet<string>, store: () => Promise<T>): Promise<T> {
  const [first = ''] = traces;
  const parent = traces.size === 1 ? contextOf(first) : ROOT_CONTEXT;
  const attributes = {
    'db.system.name': 'postgresql',
    'db.operation.name': 'INSERT',
    'db.collection.name': 'batch.operations',
    'db.operation.batch.size': operations,
  };
  const links = traces.size === 1 ? [] : linksTo(traces);
  const span = startSpan('INSERT batch.operations', { kind: SpanKind.CLIENT, attributes, links }, parent);
  try {
    return await runInSpan(span, parent, store);
  } catch (error) {
    markFailed(span, (error as { code?: string }).code ?? 'INTERNAL_ERROR');
    throw error;
  } finally {
    span.end();
  }
}
