import { Logger } from '@nestjs/common';
import pg from 'pg';
import { loadSettings } from '../../src/services/config/load-settings.js';
import type { Settings } from '../../src/services/config/settings.js';
import { migrate } from '../../src/services/database/migrate.js';
import { startPostgres } from '../support/services/postgres.js';
import {
  asAdministrator,
  clientOptions,
  databaseEnvironment,
  type DatabaseConnection,
} from '../support/test-databases.js';
import type { TestEnvironment } from '../support/test-settings.js';
import { uniqueName } from '../support/unique-name.js';

export { median, quantile } from './statistics.js';

/** A database for measurements, with the service's tables and those that are written to. */
export interface MeasuringDatabase {
  connection: DatabaseConnection;
  client: pg.Pool;
  settings(overrides?: TestEnvironment): Settings;
  environment(overrides?: TestEnvironment): TestEnvironment;
}

export const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** Says whether a target is met; a run that misses one ends with status 1. */
export function judge(claim: string, met: boolean): void {
  say(`${met ? 'met' : 'MISSED'}: ${claim}`);
  if (!met) process.exitCode = 1;
}

/** `--name=value`, or the fallback. */
export function numberOption(name: string, fallback: number): number {
  const given = process.argv.find((argument) => argument.startsWith(`--${name}=`));
  const value = given === undefined ? fallback : Number(given.slice(name.length + 3));
  if (!Number.isFinite(value) || value <= 0) throw new Error(`--${name} takes a number above 0, got '${given}'`);
  return value;
}

/**
 * Gives the service's tables, and those of `ddl`, to a database that has nothing in it.
 *
 * @returns the database, with connections to it that are to be closed
 */
export async function openMeasuringDatabase(
  connection: DatabaseConnection,
  ddl: string,
): Promise<MeasuringDatabase & { close(): Promise<void> }> {
  const environment = (overrides: TestEnvironment = {}): TestEnvironment => ({
    NODE_ENV: 'test',
    LOG_LEVEL: 'info',
    ...databaseEnvironment(connection),
    ...overrides,
  });
  const settings = (overrides?: TestEnvironment): Settings => loadSettings(environment(overrides));
  await migrate(settings());
  const client = new pg.Pool({ ...clientOptions(connection), max: 4 });
  client.on('error', () => undefined);
  await client.query(ddl);
  return { connection, client, settings, environment, close: () => client.end() };
}

/** Makes a database, runs `work` and drops it again, also when `work` fails or somebody presses Ctrl-C. */
export async function withMeasuringDatabase(
  name: string,
  ddl: string,
  work: (database: MeasuringDatabase) => Promise<void>,
): Promise<void> {
  Logger.overrideLogger(['error']);
  const postgres = await startPostgres(process.env, say);
  say(postgres.description);
  const connection = { ...postgres.connection, database: uniqueName(name) };
  let close: () => Promise<void> = () => Promise.resolve();
  const clear = async (): Promise<void> => {
    await close().catch(() => undefined);
    await asAdministrator(connection, (administrator) =>
      administrator.query(`drop database if exists ${connection.database} with (force)`),
    );
    await postgres.stop();
  };
  process.once('SIGINT', () => void clear().finally(() => process.exit(130)));
  try {
    await asAdministrator(connection, (administrator) =>
      administrator.query(`create database ${connection.database} template template0`),
    );
    const database = await openMeasuringDatabase(connection, ddl);
    close = database.close;
    await work(database);
  } finally {
    await clear();
  }
}
