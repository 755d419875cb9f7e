import type { ServerProperties } from 'amqplib';

/** The first with message TTL in quorum queues. */
const FIRST_VERSION = [3, 10] as const;

/** The broker is too old for what the service needs of it. */
export class UnsupportedBrokerError extends Error {
  constructor(version: string) {
    super(
      `RabbitMQ ${version} is too old: Batch Service needs 3.10 or newer (message TTL in quorum queues). ` +
        'Upgrade it, or name another broker in BATCH_SERVICE_RMQ_URL.',
    );
    this.name = 'UnsupportedBrokerError';
  }
}

/**
 * What says nothing of a RabbitMQ version passes: other brokers speak AMQP as well.
 *
 * @throws UnsupportedBrokerError
 */
export function checkBrokerVersion({ product, version }: Partial<ServerProperties>): void {
  const found = /^(\d+)\.(\d+)/.exec(version ?? '');
  if (product !== 'RabbitMQ' || found === null) return;
  const [major, minor] = [Number(found[1]), Number(found[2])];
  if (major > FIRST_VERSION[0] || (major === FIRST_VERSION[0] && minor >= FIRST_VERSION[1])) return;
  throw new UnsupportedBrokerError(version ?? '');
}
