import type { AddressInfo } from 'node:net';
import type { LoggerService } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { Test } from '@nestjs/testing';
import { connect } from 'amqplib';
import { AppModule } from '../../src/app.module.js';
import { configureHttp } from '../../src/controllers/http/configure-http.js';
import { serveDashboard } from '../../src/controllers/http/serve-dashboard.js';
import { setUpSwagger } from '../../src/controllers/http/set-up-swagger.js';
import { connectRpc } from '../../src/controllers/rpc/connect-rpc.js';
import type { Settings } from '../../src/services/config/settings.js';
import { removeTopology } from './amqp.js';
import { createTestDatabase, type TestDatabase } from './database.js';
import { freePort } from './free-port.js';
import { testSettings, type TestEnvironment } from './test-settings.js';

export interface TestApp {
  app: NestExpressApplication;
  settings: Settings;
  /** `http://127.0.0.1:<port>` */
  url: string;
  database: TestDatabase;
  /** Stops the service; its queue, exchange and database go as well. */
  close(): Promise<void>;
}

export interface TestAppOptions {
  /** Runs on the fresh database before the service starts: the tables that the test writes to. */
  schema?: string;
  /** A database that others use too; it is not dropped. */
  database?: TestDatabase;
  logger?: LoggerService | false;
}

const ABANDONED_AFTER_MS = 10_000;

/**
 * The whole service in this process, as `main.ts` starts it, on a database and a queue of its own. Without a broker
 * (`BATCH_SERVICE_RMQ_URL: ''`) RPC listens on a free TCP port, which `settings.rpcTcp` names.
 */
export async function startTestApp(environment: TestEnvironment = {}, options: TestAppOptions = {}): Promise<TestApp> {
  const database = options.database ?? (await createTestDatabase());
  if (options.schema !== undefined) await database.client.query(options.schema);
  const settings = testSettings({
    BATCH_RPC_TCP_PORT: String(await freePort()),
    ...database.environment,
    ...environment,
  });
  const app = await start(settings, options.logger ?? false);
  const close = async (): Promise<void> => {
    // A long answer that a test has not read keeps its connection busy, until the garbage collector finds the answer.
    const abandon = setTimeout(() => app.getHttpServer().closeAllConnections(), ABANDONED_AFTER_MS);
    await app.close();
    clearTimeout(abandon);
    await removeQueue(settings);
    if (options.database === undefined) await database.drop();
  };
  const { port } = app.getHttpServer().address() as AddressInfo;
  return { app, settings, url: `http://127.0.0.1:${port}`, database, close };
}

async function start(settings: Settings, logger: LoggerService | false): Promise<NestExpressApplication> {
  const module = await Test.createTestingModule({ imports: [AppModule.forRole(settings)] }).compile();
  const app = module.createNestApplication<NestExpressApplication>({ logger, bodyParser: false });
  configureHttp(app, settings);
  setUpSwagger(app);
  serveDashboard(app);
  if (settings.role !== 'worker') connectRpc(app, settings);
  await app.init();
  await app.startAllMicroservices();
  await app.listen(0, '127.0.0.1');
  return app;
}

async function removeQueue({ rabbitmq }: Settings): Promise<void> {
  if (rabbitmq === undefined) return;
  const connection = await connect(rabbitmq.url);
  await removeTopology(connection, rabbitmq.queue);
  await connection.close();
}
