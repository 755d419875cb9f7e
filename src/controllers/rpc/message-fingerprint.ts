import { createHash } from 'node:crypto';
import type { ConsumeMessage } from 'amqplib';

/**
 * The same for every delivery of a message, as a UUID: half of the SHA-256 of its bytes, and of the properties that its sender gave
 * it to tell it apart. Messages that are alike in all of them are handled alike.
 */
export function fingerprintOf({ content, properties }: Pick<ConsumeMessage, 'content' | 'properties'>): string {
  const { messageId, correlationId, replyTo, timestamp } = properties as unknown as Record<string, unknown>;
  const hash = createHash('sha256')
    .update(JSON.stringify([messageId, correlationId, replyTo, timestamp].map(String)))
    .update(content)
    .digest('hex');
  return hash.slice(0, 32).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
