import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Logger } from '@nestjs/common';
import pg from 'pg';
import { bundleProgram } from '../support/bundle-program.js';
import { startPostgres } from '../support/services/postgres.js';
import { startRedis } from '../support/services/redis.js';
import { asAdministrator, clientOptions } from '../support/test-databases.js';
import { uniqueName } from '../support/unique-name.js';
import { databaseConfig } from '../support/workers/test-worker.js';
import { readOptions, UsageError, USAGE, type CommandOptions, type QueueKind } from './options.js';
import { runKills, type Stage } from './run-kills.js';

const USAGE_FAULT = 2;

// Kills workers. What it calls wrong is counted in the database: each job writes one row. Workers end with this program.
Logger.overrideLogger(false);
try {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) say(USAGE);
  else process.exitCode = (await runAll(options)) ? 0 : 1;
} catch (error) {
  process.exitCode = error instanceof UsageError ? USAGE_FAULT : 1;
  const text = error instanceof UsageError ? `${error.message}\n--help lists the options` : (error as Error).stack;
  process.stderr.write(`${text}\n`);
}

async function runAll({ kills, control, queues }: CommandOptions): Promise<boolean> {
  let good = true;
  for (const kind of queues) {
    const started = performance.now();
    const {
      jobs,
      kills: by,
      lost,
      doubled,
      failed,
      completed,
    } = await onStage(kind, (stage) => runKills(stage, { kills, control }));
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    say(
      `Queue in ${kind}: ${by.written + by.committed} kills (${by.written} in the transaction, ${by.committed} after its commit), ${seconds} s`,
    );
    say(`  ${jobs} jobs: ${completed} completed, ${failed} failed; effects: ${lost} lost, ${doubled} doubled`);
    const right = lost === 0 && failed === 0 && completed === jobs && (control ? doubled > 0 : doubled === 0);
    const found = control ? 'Doubled effects were found' : 'Nothing is wrong';
    const missed = control ? 'FAILED: without runOnce, doubled effects were to be found' : 'FAILED';
    say(`  ${right ? found : missed}`);
    good &&= right;
  }
  return good;
}

async function onStage<T>(kind: QueueKind, work: (stage: Stage) => Promise<T>): Promise<T> {
  const postgres = await startPostgres(process.env, say);
  const redis = await startRedis(process.env, say);
  const connection = { ...postgres.connection, database: uniqueName('worker_under_kill') };
  const folder = await mkdtemp(join(tmpdir(), 'worker-under-kill-'));
  await asAdministrator(connection, (client) => client.query(`create database ${connection.database}`));
  const pool = new pg.Pool({ ...clientOptions(connection), max: 2 });
  try {
    await pool.query('create table effects (target text not null)');
    const program = await bundleProgram(resolve(import.meta.dirname, '../support/workers/worker-program.ts'), folder);
    const queue = kind === 'redis' ? { REDIS_URL: redis.connection.url } : { WORKER_QUEUE_INSTANCE: 'default' };
    const environment = { DATABASE_CONFIG: databaseConfig({ default: connection }), ...queue };
    return await work({ program, pool, environment });
  } finally {
    await pool.end();
    await asAdministrator(connection, (client) =>
      client.query(`drop database if exists ${connection.database} with (force)`),
    );
    await rm(folder, { recursive: true, force: true });
    await redis.stop();
    await postgres.stop();
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
