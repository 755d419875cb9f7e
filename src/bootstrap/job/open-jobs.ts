import { Module, type DynamicModule, type LoggerService } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { JobOperator } from '../../batch/operator/job-operator.js';
import { JobRegistry } from '../../batch/operator/job-registry.js';
import { JobRepository } from '../../batch/repository/job-repository.js';
import { batchSchemaVersions } from '../../batch/repository/schema.js';
import type { SqlClient } from '../../interfaces/sql.js';
import { BatchEngineModule, type JobDuties } from '../../jobs/batch-engine.module.js';
import { ConfigModule } from '../../services/config/config.module.js';
import type { Settings } from '../../services/config/settings.js';
import { isConnectionFault } from '../../services/database/classify-failure.js';
import { DatabaseModule } from '../../services/database/database.module.js';
import { DatabaseService } from '../../services/database/database.service.js';
import { sqlStateOf } from '../../services/database/sql-state.js';
import { databaseReason } from '../explain-start-failure.js';
import { explain, LACKS_MIGRATIONS } from '../run-command.js';
import { StartError } from '../start-error.js';

/** The batch engine, as a command uses it. */
export interface Jobs {
  operator: JobOperator<SqlClient>;
  repository: JobRepository<SqlClient>;
  registry: JobRegistry<SqlClient>;
}

/**
 * Does work with the jobs of the service on its database, without HTTP, RPC and the poller. It does not wait for a database that
 * is down, because a person prefers an error.
 *
 * @throws StartError when the database cannot be used; BatchError for a job that is not defined correctly
 */
export async function withJobs(
  settings: Settings,
  duties: JobDuties,
  work: (jobs: Jobs) => Promise<void>,
): Promise<void> {
  try {
    const app = await NestFactory.createApplicationContext(JobCommandModule.forSettings(settings, duties), {
      logger: new CommandLogger(),
      abortOnError: false,
    });
    try {
      await refuseOtherSchema(app.get(DatabaseService));
      await work({
        operator: app.get(JobOperator),
        repository: app.get(JobRepository),
        registry: app.get(JobRegistry),
      });
    } finally {
      await app.close();
    }
  } catch (error) {
    if (!isUnusableDatabase(error)) throw error;
    throw new StartError(databaseReason(error, settings.database), { cause: error });
  }
}

@Module({})
class JobCommandModule {
  static forSettings(settings: Settings, duties: JobDuties): DynamicModule {
    return {
      module: JobCommandModule,
      imports: [ConfigModule.forSettings(settings), DatabaseModule, BatchEngineModule.forSettings(settings, duties)],
    };
  }
}

async function refuseOtherSchema(database: SqlClient): Promise<void> {
  const { database: found, code } = await batchSchemaVersions(database);
  if (found < code) throw new StartError(LACKS_MIGRATIONS);
  if (found > code) {
    throw new StartError(
      'The database was migrated by a newer version of the service: use the command of that version',
    );
  }
}

/** The driver gives up before the server can refuse when there is no password to send. */
function isUnusableDatabase(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  return isConnectionFault(error) || /^(28|3D)/.test(sqlStateOf(error) ?? '') || error.message.startsWith('SASL: ');
}

/** Says what goes wrong beside the job, in one line. Why the job itself failed is in its exit description. */
class CommandLogger implements LoggerService {
  log(): void {}

  warn(message: unknown): void {
    this.write(message);
  }

  error(message: unknown, ...rest: unknown[]): void {
    if (!SAID_ELSEWHERE.has(String(rest.at(-1)))) this.write(message);
  }

  fatal(message: unknown): void {
    this.write(message);
  }

  private write(message: unknown): void {
    const { message: text, err } = (typeof message === 'object' ? (message ?? {}) : { message }) as {
      message?: unknown;
      err?: unknown;
    };
    explain([text, err instanceof Error ? err.message : undefined].filter(Boolean).join(': '));
  }
}

const SAID_ELSEWHERE = new Set(['ExceptionHandler', 'BatchJob', 'BatchStep']);
