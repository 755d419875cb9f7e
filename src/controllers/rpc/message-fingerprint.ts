import { createHash } from 'node:crypto';
import type { ConsumeMessage } from 'amqplib';

/**
 * A UUID that is the same for every delivery of a message: half of the SHA-256 of its bytes, and of the properties by
 * which its sender identifies it. Messages that are equal in all of these are treated as the same message.
 */
export function fingerprintOf({ content, properties }: Pick<ConsumeMessage, 'content' | 'properties'>): string {
  const { messageId, correlationId, replyTo, timestamp } = properties as unknown as Record<string, unknown>;
  const hash = createHash('sha256')
    .update(JSON.stringify([messageId, correlationId, replyTo, timestamp].map(String)))
    .update(content)
    .digest('hex');
  return hash.slice(0, 32).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
