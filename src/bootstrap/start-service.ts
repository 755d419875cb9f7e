import type { INestApplicationContext, NestApplicationOptions } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { Logger } from 'pino';
import { AppModule } from '../app.module.js';
import { configureHttp } from '../controllers/http/configure-http.js';
import { serveDashboard } from '../controllers/http/serve-dashboard.js';
import { setUpSwagger } from '../controllers/http/set-up-swagger.js';
import { connectRpc } from '../controllers/rpc/connect-rpc.js';
import type { Settings } from '../services/config/settings.js';
import { NestLogger } from '../services/observability/nest-logger.js';
import { serverTls } from '../services/tls/server-tls.js';
import { isTracing } from '../services/tracing/tracing.js';
import { checkPorts, prepareDatabase } from './check-surroundings.js';
import { describeOpenAccess, describePlainText, describeService, describeStandIns } from './describe-service.js';
import { provideDatabase, type Database } from './embedded-database.js';
import { explainStartFailure } from './explain-start-failure.js';
import { renewCertificates } from './renew-certificates.js';
import { ShutdownWatch } from './shutdown-watch.js';
import { logDiagnostics } from './telemetry/log-diagnostics.js';

export interface RunningService {
  /** The given settings, with the database that is in use. */
  settings: Settings;
  /** Accepts nothing new, finishes what was begun, and releases everything. */
  close(): Promise<void>;
  /** What `close` is waiting for. */
  closing(): string[];
}

export interface StartingService {
  /**
   * Resolves when the service runs. When it rejects, nothing is left running. The error is a `StartError` if the cure
   * is known.
   */
  up: Promise<RunningService>;
  /** Ends the wait for a database that does not answer: `up` then rejects with the reason. */
  stopWaiting(): void;
  /** For a process that must end before it is up. Releases only what would outlive the process. */
  abandon(): Promise<void>;
}

/** Starts the service in the role of the settings, on an embedded PostgreSQL if they name no database. */
export function beginService(given: Settings, logger: Logger): StartingService {
  if (isTracing()) logDiagnostics(logger);
  const database = checkPorts(given).then(() => provideDatabase(given));
  const waiting = new AbortController();
  return {
    up: database.then((provided) => startOn(provided, logger, waiting.signal)),
    stopWaiting: () => waiting.abort(),
    abandon: () =>
      database.then(
        ({ embedded }) => embedded?.stop(),
        () => undefined,
      ),
  };
}

async function startOn({ settings, embedded }: Database, logger: Logger, signal: AbortSignal): Promise<RunningService> {
  try {
    const waiting = { onAttempt: (line: string) => logger.warn(line), signal };
    const warnings = await prepareDatabase(settings, waiting, (line) => logger.info(line));
    for (const line of warnings) logger.warn(line);
    const app = await startApplication(settings, logger);
    for (const line of describeService(settings)) logger.info(line);
    const makeshift = settings.environment === 'production' ? 'warn' : 'info';
    for (const line of describeStandIns(settings, embedded)) logger[makeshift](line);
    for (const line of [...describeOpenAccess(settings), ...describePlainText(settings)]) logger.warn(line);
    logger.info(`Batch Service is up, role ${settings.role}`);
    return runningService(app, { settings, embedded }, renewCertificates(settings, app, logger));
  } catch (error) {
    await embedded?.stop();
    throw explainStartFailure(error, settings);
  }
}

async function startApplication(settings: Settings, logger: Logger): Promise<INestApplicationContext> {
  const { certificates, host } = settings.http;
  const options: NestApplicationOptions = {
    logger: new NestLogger(logger),
    abortOnError: false,
    // REST has its own parser with limits. Probes take no bodies.
    bodyParser: false,
    ...(certificates && { httpsOptions: serverTls(certificates) }),
  };
  const onlyProbes = settings.role === 'worker';
  const port = onlyProbes ? settings.workerHealthPort : settings.http.port;
  if (port === undefined) return NestFactory.createApplicationContext(AppModule.forRole(settings), options);

  const app = await NestFactory.create<NestExpressApplication>(AppModule.forRole(settings), options);
  try {
    configureHttp(app, settings);
    if (!onlyProbes) {
      setUpSwagger(app);
      serveDashboard(app);
      connectRpc(app, settings);
    }
    // RPC starts last: it takes messages from a shared queue at once, while REST gets requests only from callers that
    // found it ready.
    await app.listen(port, host);
    await app.startAllMicroservices();
    return app;
  } catch (error) {
    await app.close();
    throw error;
  }
}

function runningService(
  app: INestApplicationContext,
  { settings, embedded }: Database,
  stopRenewing: () => void,
): RunningService {
  const watch = new ShutdownWatch(app);
  let phase = 'open HTTP requests and RPC connections';
  return {
    settings,
    async close() {
      stopRenewing();
      await app.close();
      phase = 'the embedded PostgreSQL';
      await embedded?.stop();
    },
    closing: () => (watch.pending.length > 0 ? watch.pending : [phase]),
  };
}
