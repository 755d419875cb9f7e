import { connect } from 'amqplib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { removeTopology } from '../support/amqp.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { freePort } from '../support/free-port.js';
import { startServiceProcess, type ServiceProcess } from '../support/service-process.js';
import { settleChunk, storeOperations } from '../support/settled-chunks.js';
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js';
import { testEnvironment, testSettings } from '../support/test-settings.js';

describe('a service', () => {
  const { url, queue } = testSettings().rabbitmq ?? { url: '', queue: '' };
  let database: TestDatabase;
  let proxy: TcpProxy;
  let service: ServiceProcess;

  beforeAll(async () => {
    const { hostname, port } = new URL(url);
    database = await createTestDatabase();
    proxy = await startTcpProxy({ host: hostname, port: Number(port || 5672) });
  });
  afterAll(async () => {
    await service.end();
    await proxy.close();
    const connection = await connect(url);
    await removeTopology(connection, queue);
    await connection.close();
    await database.drop();
  });

  it.each(['stall', 'refuse'] as const)('stops in time when its broker does nothing but %s', async (fault) => {
    proxy.accept();
    const environment = testEnvironment({
      ...database.environment,
      LOG_LEVEL: 'info',
      HTTP_PORT: String(await freePort()),
      BATCH_SERVICE_RMQ_URL: proxy.through(url),
      BATCH_SERVICE_RMQ_QUEUE: queue,
      BATCH_SHUTDOWN_TIMEOUT: '10000',
    });
    service = await startServiceProcess({ environment });
    await service.up();
    proxy[fault]();
    // So that a notification waits.
    await settleChunk(database, await storeOperations(database, 1, 'shop'));
    service.signal('SIGTERM');
    expect(await service.exited, service.output).toBe(0);
  });
});
