import { randomBytes } from 'node:crypto';
import type { MicroserviceOptions } from '@nestjs/microservices';
import { connect } from 'amqplib';
import { settledConsumerOptions, type BatchServiceClientOptions } from '../src/client/index.js';
import type { Settings } from '../src/services/config/settings.js';
import { removeTopology } from '../test/support/amqp.js';
import type { Cleanup } from '../test/support/cleanup.js';
import { freePort } from '../test/support/free-port.js';

/** How the shop and the service talk. */
export interface DemoTransport {
  client: BatchServiceClientOptions;
  consumer: MicroserviceOptions;
  /** For the service. */
  environment: Record<string, string>;
  /** For people. */
  description: string;
}

/** RabbitMQ if the settings name one, with queues that are removed at the end; else TCP. */
export function openTransport(settings: Settings, cleanup: Cleanup): Promise<DemoTransport> {
  return settings.rabbitmq ? overRabbitmq(settings.rabbitmq, cleanup) : overTcp();
}

async function overTcp(): Promise<DemoTransport> {
  const [rpcPort, consumerPort] = [await freePort(), await freePort()];
  return {
    client: { transport: 'tcp', port: rpcPort, source: 'shop' },
    consumer: settledConsumerOptions({ port: consumerPort }),
    environment: {
      BATCH_RPC_TCP_PORT: String(rpcPort),
      BATCH_NOTIFICATION_TCP_URL: `tcp://127.0.0.1:${consumerPort}`,
    },
    description: `NO BROKER: RPC on TCP port ${rpcPort}, notifications to ${consumerPort}; set BATCH_SERVICE_RMQ_URL for RabbitMQ`,
  };
}

type Broker = NonNullable<Settings['rabbitmq']>;

/** Other programs may use the same broker and exchange. So each run has a source of its own. */
async function overRabbitmq({ url, certificates }: Broker, cleanup: Cleanup): Promise<DemoTransport> {
  const tls = certificates?.options;
  const source = `demo-${randomBytes(4).toString('hex')}`;
  const queue = `batch_service.${source}`;
  const consumerQueue = `${source}.settled`;
  cleanup.add(`The queues of ${queue} are not removed`, () => remove(url, tls, queue, consumerQueue));
  return {
    client: { transport: 'rmq', url, queue, source, ...(tls && { tls }) },
    consumer: settledConsumerOptions({ url, queue: consumerQueue, source, ...(tls && { tls }) }),
    environment: { BATCH_SERVICE_RMQ_URL: url, BATCH_SERVICE_RMQ_QUEUE: queue, ...certificates?.environment },
    description: `RabbitMQ on ${new URL(url).host}, as BATCH_SERVICE_RMQ_URL says; queue ${queue}`,
  };
}

async function remove(url: string, tls: object | undefined, queue: string, consumerQueue: string): Promise<void> {
  const connection = await connect(url, tls);
  try {
    await removeTopology(connection, queue);
    const channel = await connection.createChannel();
    await channel.deleteQueue(consumerQueue);
  } finally {
    await connection.close();
  }
}
