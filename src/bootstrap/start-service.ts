import type { INestApplicationContext, NestApplicationOptions } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { Logger } from 'pino';
import { AppModule } from '../app.module.js';
import { configureHttp } from '../controllers/http/configure-http.js';
import { setUpSwagger } from '../controllers/http/set-up-swagger.js';
import { connectRpc } from '../controllers/rpc/connect-rpc.js';
import type { Settings } from '../services/config/settings.js';
import { NestLogger } from '../services/observability/nest-logger.js';
import { describeService } from './describe-service.js';
import { provideDatabase, type Database } from './embedded-database.js';
import { ShutdownWatch } from './shutdown-watch.js';

export interface RunningService {
  /** As given, and with the database that is in use. */
  settings: Settings;
  /** Takes nothing new, finishes what was begun, and releases everything. */
  close(): Promise<void>;
  /** What `close` waits for now. */
  closing(): string[];
  /** For a process that must end now: only what would outlive it is released. */
  abandon(): Promise<void>;
}

/**
 * Starts the service in the role that the settings name, with an embedded PostgreSQL where they name no database. It serves
 * when the promise resolves; when it rejects, nothing is left running.
 */
export async function startService(given: Settings, logger: Logger): Promise<RunningService> {
  const database = await provideDatabase(given, (line) => logger.info(line));
  try {
    const app = await startApplication(database.settings, logger);
    for (const line of describeService(database.settings, database.embedded)) logger.info(line);
    logger.info(`Batch Service is up, role ${database.settings.role}`);
    return runningService(app, database);
  } catch (error) {
    await database.embedded?.stop();
    throw error;
  }
}

async function startApplication(settings: Settings, logger: Logger): Promise<INestApplicationContext> {
  const options: NestApplicationOptions = {
    logger: new NestLogger(logger),
    abortOnError: false,
    // REST has a parser of its own, with limits; probes take no bodies.
    bodyParser: false,
  };
  if (settings.role !== 'worker') return startApi(settings, options);
  if (settings.workerHealthPort !== undefined) return startProbes(settings, settings.workerHealthPort, options);
  return NestFactory.createApplicationContext(AppModule.forRole(settings), options);
}

async function startApi(settings: Settings, options: NestApplicationOptions): Promise<INestApplicationContext> {
  const app = await NestFactory.create<NestExpressApplication>(AppModule.forRole(settings), options);
  return closedOnFailure(app, async () => {
    configureHttp(app, settings);
    setUpSwagger(app);
    connectRpc(app, settings);
    await app.init();
    await app.startAllMicroservices();
    await app.listen(settings.http.port, settings.http.host);
  });
}

async function startProbes(
  settings: Settings,
  port: number,
  options: NestApplicationOptions,
): Promise<INestApplicationContext> {
  const app = await NestFactory.create<NestExpressApplication>(AppModule.forRole(settings), options);
  return closedOnFailure(app, () => app.listen(port, settings.http.host));
}

async function closedOnFailure<App extends INestApplicationContext>(
  app: App,
  work: () => Promise<unknown>,
): Promise<App> {
  try {
    await work();
    return app;
  } catch (error) {
    await app.close();
    throw error;
  }
}

function runningService(app: INestApplicationContext, { settings, embedded }: Database): RunningService {
  const watch = new ShutdownWatch(app);
  let phase = 'open HTTP requests and RPC connections';
  return {
    settings,
    async close() {
      await app.close();
      phase = 'the embedded PostgreSQL';
      await embedded?.stop();
    },
    closing: () => (watch.pending.length > 0 ? watch.pending : [phase]),
    abandon: async () => embedded?.stop(),
  };
}
