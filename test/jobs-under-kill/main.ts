import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { PostgresJobRepository } from '../../src/batch/repository/postgres-job-repository.js';
import { migrateBatchSchema } from '../../src/batch/repository/schema.js';
import { PoolDatabase } from '../../src/batch/sql/pool-database.js';
import { bundleProgram } from '../support/bundle-program.js';
import { startPostgres } from '../support/services/postgres.js';
import { asAdministrator, clientOptions } from '../support/test-databases.js';
import { uniqueName } from '../support/unique-name.js';
import { JobChildren } from './job-child.js';
import { readOptions, UsageError, USAGE, type CommandOptions } from './options.js';
import { runScenario, type Stage } from './run-scenario.js';
import { CONTROLS, SCENARIOS, weaknessOf } from './scenarios.js';
import { SABOTAGES } from './sabotage.js';
import { CREATE_TABLES } from './tables.sql.js';

const USAGE_FAULT = 2;

// Kills the processes of jobs. It promises that what it calls wrong is wrong: everything is compared with the rows that it has made
// itself. Processes of jobs end with this one. `.ci/run` has its short form.
try {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) say(USAGE);
  else process.exitCode = (await onStage((stage) => runAll(options, stage))) ? 0 : 1;
} catch (error) {
  process.exitCode = error instanceof UsageError ? USAGE_FAULT : 1;
  const text = error instanceof UsageError ? `${error.message}\n--help lists the options` : (error as Error).stack;
  process.stderr.write(`${text}\n`);
}

async function runAll({ kills, seed, control }: CommandOptions, stage: Stage): Promise<boolean> {
  say(`Seed ${seed}`);
  let good = true;
  for (const scenario of control ? CONTROLS : SCENARIOS) {
    const started = performance.now();
    const result = await runScenario(scenario, stage, { kills, seed });
    const { byPhase, violations } = result;
    const phases = Object.entries(byPhase).filter(([, count]) => count > 0);
    const where = phases.map(([phase, count]) => `${phase} ${count}`).join(', ');
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    say(`${scenario.name}: ${result.kills} kills of a running execution (${where}), ${result.instances} instances`);
    say(`  ${result.rows} rows, ${seconds} s`);
    for (const violation of violations.slice(0, control ? 1 : undefined)) say(`  ${violation}`);
    const fault = control ? missed(scenario.sabotage!, violations) : (violations[0] ?? weaknessOf(scenario, result));
    say(fault === undefined ? `  ${control ? 'Found' : 'Nothing is wrong'}` : `  FAILED: ${fault}`);
    good &&= fault === undefined;
  }
  return good;
}

function missed(sabotage: keyof typeof SABOTAGES, violations: readonly string[]): string | undefined {
  const { shows } = SABOTAGES[sabotage];
  return violations.some((violation) => violation.includes(shows)) ? undefined : `NOT FOUND: "${shows}" was to be seen`;
}

async function onStage<T>(work: (stage: Stage) => Promise<T>): Promise<T> {
  const postgres = await startPostgres(process.env, say);
  say(postgres.description);
  const connection = { ...postgres.connection, database: uniqueName('jobs_under_kill') };
  const folder = await mkdtemp(join(tmpdir(), 'batch-jobs-'));
  await asAdministrator(connection, async (client) => {
    await client.query(`create database ${connection.database}`);
    // The server does not crash here, so nothing has to be on the disk.
    await client.query(`alter database ${connection.database} set synchronous_commit = off`);
  });
  const pool = new pg.Pool({ ...clientOptions(connection), max: 2 });
  const children = new JobChildren(await bundleProgram(join(import.meta.dirname, 'job-process.ts'), folder));
  try {
    const database = new PoolDatabase(pool);
    await migrateBatchSchema(database);
    await pool.query(CREATE_TABLES);
    return await work({ connection, database, repository: new PostgresJobRepository(database), children, folder });
  } finally {
    await children.close();
    await pool.end();
    await asAdministrator(connection, (client) =>
      client.query(`drop database if exists ${connection.database} with (force)`),
    );
    await rm(folder, { recursive: true, force: true });
    await postgres.stop();
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
