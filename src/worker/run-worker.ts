import type { INestApplicationContext, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { Logger } from 'pino';
import { readInstances } from './settings/database-config.js';
import { loggerSettings, readWorkerSettings } from './settings/load-worker-settings.js';
import { examineModule } from './runtime/examine-module.js';
import { superviseWorker } from './runtime/supervise-worker.js';
import { WORKS_LATER } from './runtime/tokens.js';
import { createWorkerLogger, secretsOf } from './runtime/worker-logger.js';
import { WorkerNestLogger } from './runtime/worker-nest-logger.js';
import { WorkerStartError } from './worker-error.js';

/**
 * The main program of a worker: starts the module, works until SIGTERM or SIGINT, ends the process.
 *
 * It ends with 0 when it was told to stop and all jobs have ended within WORKER_SHUTDOWN_SECONDS; with 1 when jobs still ran
 * then, and when it could not start: then one line of the log says why, without a stack. A second signal ends it at once.
 *
 * @param module imports `WorkerModule.forRoot()`, and provides the processors
 */
export async function runWorker(module: Type): Promise<void> {
  const { settings, faults } = readWorkerSettings(process.env);
  const secrets = settings === undefined ? [] : secretsOf(settings);
  const base = { pid: process.pid, worker: settings?.name ?? process.env.WORKER_NAME };
  const log = createWorkerLogger(loggerSettings(process.env), base, secrets);
  const { names } = readInstances(process.env.DATABASE_CONFIG);
  await superviseWorker(log, settings?.shutdownMs ?? 0, async () => {
    const all = [...faults, ...(await examineModule(module, names, process.env))];
    if (all.length > 0) throw new WorkerStartError('INVALID_SETTINGS', all);
    return start(module, log);
  });
}

function start(module: Type, log: Logger): Promise<INestApplicationContext> {
  const root = {
    module: SupervisedWorkerModule,
    global: true,
    imports: [module],
    providers: [{ provide: WORKS_LATER, useValue: true }],
    exports: [WORKS_LATER],
  };
  return NestFactory.createApplicationContext(root, { logger: new WorkerNestLogger(log), abortOnError: false });
}

/** The module of the worker, whose jobs begin when `superviseWorker` says so. */
class SupervisedWorkerModule {}
