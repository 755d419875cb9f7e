import { setTimeout as delay } from 'node:timers/promises';
import { MigrationExecutor, QueryFailedError, type DataSource, type Migration, type QueryRunner } from 'typeorm';
import { batchSchemaVersions, migrateBatchSchema } from '../../batch/repository/schema.js';
import type { Settings } from '../config/settings.js';
import { createDataSource, SCHEMA, type DatabaseSettings } from './data-source.js';
import { MigrationFailedError } from './migration-failed.error.js';
import {
  hasSchema,
  releaseMigrationLock,
  selectMigrationLockHolder,
  tryMigrationLock,
  type SessionRow,
} from './migrations.sql.js';
import { createFunction, functionsNamed, selectOutdatedFunctions } from './functions.sql.js';
import { queriesOf } from './queries-of.js';
import { grantRuntimeRights } from './runtime-rights.sql.js';
import type { SqlClient, SqlStatement } from '../../interfaces/sql.js';

/** If a statement waits for a lock on a table, everybody who wants the table later waits behind it. */
const TABLE_LOCK_TIMEOUT_MS = 2000;
const LOCK_POLL_MS = 250;
const LOG_EVERY_MS = 5000;

type Log = (line: string) => void;

/**
 * Creates the schema and runs the missing migrations. Each runs in its own transaction. All run on one separate
 * connection with the credentials for migrations. Concurrent callers wait for one another, as long as a setting allows.
 * A running statement has no time limit. If another role runs the service, that role is granted the rights that it
 * needs.
 *
 * @returns the names of the migrations that were missing
 * @throws MigrationFailedError
 */
export async function migrate(settings: DatabaseSettings, log: Log = () => undefined): Promise<string[]> {
  const dataSource = await migrationDataSource(settings).initialize();
  try {
    const runner = dataSource.createQueryRunner();
    try {
      return await new MigrationRun(dataSource, runner, settings.database, log).run();
    } finally {
      await runner.release();
    }
  } finally {
    await dataSource.destroy();
  }
}

/** The settings with the credentials of the migration role. */
export function withMigrationCredentials<Given extends Pick<Settings, 'database'>>(settings: Given): Given {
  return { ...settings, database: { ...settings.database, ...settings.database.migration } };
}

function migrationDataSource(settings: DatabaseSettings): DataSource {
  const { database, execution } = withMigrationCredentials(settings);
  return createDataSource(
    {
      // The lock belongs to a session, so the lock and the migrations share one connection.
      database: { ...database, poolSize: 1 },
      execution: { ...execution, statementTimeoutMs: 0, lockTimeoutMs: TABLE_LOCK_TIMEOUT_MS },
    },
    'batch-service-migration',
  );
}

class MigrationRun {
  private readonly executor: MigrationExecutor;
  private readonly deadline: number;

  constructor(
    dataSource: DataSource,
    private readonly runner: QueryRunner,
    private readonly database: Settings['database'],
    private readonly log: Log,
  ) {
    this.executor = new MigrationExecutor(dataSource, runner);
    this.deadline = performance.now() + database.migrationWaitMs;
  }

  async run(): Promise<string[]> {
    await this.takeLock();
    try {
      await this.step('the creation of schema batch', () => this.createSchema());
      const pending = await this.executor.getPendingMigrations();
      for (const migration of pending) await this.applyMigration(migration);
      await this.createFunctions();
      const engine = await this.migrateEngine();
      await this.grantRights();
      return [...pending.map(({ name }) => name), ...engine];
    } finally {
      // The lock also ends with the session, for instance when the connection is lost.
      await this.query(releaseMigrationLock()).catch(() => undefined);
    }
  }

  private async takeLock(): Promise<void> {
    let logAt = 0;
    for (;;) {
      const [{ held } = { held: false }] = await this.query<{ held: boolean }>(tryMigrationLock());
      if (held) return;
      const now = performance.now();
      if (now >= this.deadline) throw this.lockNotGiven(await this.query<SessionRow>(selectMigrationLockHolder()));
      if (now >= logAt) {
        const holders = await this.query<SessionRow>(selectMigrationLockHolder());
        this.log(`Another process migrates this database; waiting ${this.left} more for it: ${describe(holders)}`);
        logAt = now + LOG_EVERY_MS;
      }
      await delay(Math.min(LOCK_POLL_MS, this.leftMs));
    }
  }

  private async createSchema(): Promise<void> {
    const [{ found } = { found: false }] = await this.query<{ found: boolean }>(hasSchema());
    if (!found) await this.query({ text: `create schema ${SCHEMA}` });
  }

  private async applyMigration(migration: Migration): Promise<void> {
    this.log(`Applying migration ${migration.name}`);
    await this.step(`migration ${migration.name}`, async () => void (await this.executor.executeMigration(migration)));
  }

  private async createFunctions(): Promise<void> {
    const outdated = await this.query<{ name: string }>(selectOutdatedFunctions());
    for (const outdatedFunction of functionsNamed(outdated.map(({ name }) => name))) {
      this.log(`Creating function batch.${outdatedFunction.name}, version ${outdatedFunction.version}`);
      await this.step(`the creation of function ${outdatedFunction.name}`, () =>
        this.query(createFunction(outdatedFunction)),
      );
    }
  }

  /** The tables of the batch engine have versions of their own. */
  private async migrateEngine(): Promise<string[]> {
    const client = queriesOf(this.runner);
    const { database, code } = await batchSchemaVersions(client);
    if (database >= code) return [];
    const name = `batch engine ${code}`;
    this.log(`Applying migration ${name}`);
    const within = { ...client, transaction: <T>(work: (tx: SqlClient) => Promise<T>) => work(client) };
    await this.step(`migration ${name}`, () => migrateBatchSchema(within, SCHEMA));
    return [name];
  }

  /** Needed if one role migrates and another role runs the service. */
  private async grantRights(): Promise<void> {
    const { migration, username } = this.database;
    if (migration === undefined || migration.username === username) return;
    await this.step(`the grant of rights to "${username}"`, () => this.query(grantRuntimeRights(username)));
  }

  /** In a transaction of its own: all of it, or nothing. */
  private async step(what: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await this.runner.startTransaction();
      await work();
      await this.runner.commitTransaction();
    } catch (cause) {
      // The first error says more than the failed rollback on a dead connection.
      await this.runner.rollbackTransaction().catch(() => undefined);
      const statement = cause instanceof QueryFailedError ? cause.query : undefined;
      throw new MigrationFailedError(what, { cause, statement, username: this.username });
    }
  }

  private lockNotGiven(holders: SessionRow[]): MigrationFailedError {
    return new MigrationFailedError('the wait for another migration', {
      cause: new Error('another process migrates this database and has not finished'),
      cure: `This process waited ${this.database.migrationWaitMs / 1000} s (DB_MIGRATION_WAIT_TIMEOUT). The other one is ${describe(holders)}: wait until it has finished, or end it with pg_terminate_backend, then migrate again`,
      username: this.username,
    });
  }

  private async query<Row>({ text, values }: SqlStatement): Promise<Row[]> {
    return (await this.runner.query(text, values)) as Row[];
  }

  private get username(): string {
    return this.database.migration?.username ?? this.database.username;
  }

  private get leftMs(): number {
    return Math.max(0, this.deadline - performance.now());
  }

  private get left(): string {
    return `${Math.ceil(this.leftMs / 1000)} s`;
  }
}

function describe(sessions: readonly SessionRow[]): string {
  const texts = sessions.map(({ pid, application, user, state, since }) => {
    const named = [application, user && `user ${user}`, state, since && `since ${since.toISOString()}`];
    return `pid ${pid} (${named.filter(Boolean).join(', ')})`;
  });
  return texts.join(' and ') || 'a session that has ended since';
}
