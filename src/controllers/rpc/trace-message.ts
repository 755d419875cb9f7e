import { SpanKind, type Attributes } from '@opentelemetry/api';
import type { ConsumeMessage } from 'amqplib';
import { contextOfHeaders, isTracing, markFailed, runInSpan, startSpan } from '../../services/tracing/tracing.js';
import type { RpcAnswer } from './rpc-answer.js';

/**
 * Makes a span of executing a message, in the trace that its headers name.
 *
 * @param pattern undefined when the message could not be read
 */
export function traceMessage(
  message: ConsumeMessage,
  queue: string,
  pattern: string | undefined,
  work: () => Promise<RpcAnswer>,
): Promise<RpcAnswer> {
  return isTracing() ? inSpan(message, queue, pattern, work) : work();
}

async function inSpan(
  { content, properties }: ConsumeMessage,
  queue: string,
  pattern: string | undefined,
  work: () => Promise<RpcAnswer>,
): Promise<RpcAnswer> {
  const parent = contextOfHeaders(properties.headers);
  const attributes: Attributes = {
    'messaging.system': 'rabbitmq',
    'messaging.operation.name': 'process',
    'messaging.operation.type': 'process',
    'messaging.destination.name': queue,
    'messaging.message.body.size': content.length,
    ...(typeof properties.messageId === 'string' && { 'messaging.message.id': properties.messageId }),
    ...(pattern !== undefined && { 'batch.pattern': pattern }),
  };
  const span = startSpan(`process ${queue}`, { kind: SpanKind.CONSUMER, attributes }, parent);
  try {
    const answer = await runInSpan(span, parent, work);
    if (answer.err !== undefined) markFailed(span, answer.err.code);
    return answer;
  } finally {
    span.end();
  }
}
