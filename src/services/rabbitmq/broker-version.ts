import type { ServerProperties } from 'amqplib';
import { RefusedByBrokerError } from './refused-by-broker.error.js';

/** The first version with message TTL in quorum queues. */
const FIRST_VERSION = [3, 10] as const;

/**
 * A broker that reports no RabbitMQ version passes, because other brokers speak AMQP too.
 *
 * @throws RefusedByBrokerError
 */
export function checkBrokerVersion({ product, version }: Partial<ServerProperties>): void {
  const found = /^(\d+)\.(\d+)/.exec(version ?? '');
  if (product !== 'RabbitMQ' || found === null) return;
  const [major, minor] = [Number(found[1]), Number(found[2])];
  if (major > FIRST_VERSION[0] || (major === FIRST_VERSION[0] && minor >= FIRST_VERSION[1])) return;
  throw new RefusedByBrokerError(
    `RabbitMQ ${version} is too old: Batch Service needs 3.10 or newer (message TTL in quorum queues). ` +
      'Upgrade it, or set BATCH_SERVICE_RMQ_URL to another broker.',
  );
}
