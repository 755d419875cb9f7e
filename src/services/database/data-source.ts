import { DataSource, type DataSourceOptions } from 'typeorm';
import { ApiKeyEntity } from '../../entities/api-key.entity.js';
import { ChunkEntity } from '../../entities/chunk.entity.js';
import { DelayedOperationEntity } from '../../entities/delayed-operation.entity.js';
import { CreateQueue1763700000000 } from '../../entities/migrations/1763700000000-create-queue.js';
import { AddChunkPlan1763900000000 } from '../../entities/migrations/1763900000000-add-chunk-plan.js';
import { AddLanes1764000000000 } from '../../entities/migrations/1764000000000-add-lanes.js';
import { AddOperationRetry1764000100000 } from '../../entities/migrations/1764000100000-add-operation-retry.js';
import { AddApiKeys1764000200000 } from '../../entities/migrations/1764000200000-add-api-keys.js';
import { AddRetention1764000300000 } from '../../entities/migrations/1764000300000-add-retention.js';
import { AddMessageAttempts1764300000000 } from '../../entities/migrations/1764300000000-add-message-attempts.js';
import { AddFaultKind1764500000000 } from '../../entities/migrations/1764500000000-add-fault-kind.js';
import { LaneFaultEntity } from '../../entities/lane-fault.entity.js';
import { LaneEntity } from '../../entities/lane.entity.js';
import { MessageAttemptEntity } from '../../entities/message-attempt.entity.js';
import { OperationEntity } from '../../entities/operation.entity.js';
import { OutcomeEntity } from '../../entities/outcome.entity.js';
import { PendingOperationEntity } from '../../entities/pending-operation.entity.js';
import { WorkerEntity } from '../../entities/worker.entity.js';
import type { Settings } from '../config/settings.js';
import { databaseTls } from '../config/client-tls.js';
import { ServiceClient } from './service-client.js';

export const SCHEMA = 'batch';

/** What `createDataSource` needs of the settings. */
export type DatabaseSettings = Pick<Settings, 'database' | 'execution'>;

function dataSourceOptions({ database, execution }: DatabaseSettings): DataSourceOptions {
  return {
    type: 'postgres',
    host: database.host,
    port: database.port,
    database: database.name,
    username: database.username,
    password: database.password,
    ssl: databaseTls(database.ssl),
    schema: SCHEMA,
    entities: [
      OperationEntity,
      PendingOperationEntity,
      DelayedOperationEntity,
      OutcomeEntity,
      ChunkEntity,
      LaneEntity,
      LaneFaultEntity,
      WorkerEntity,
      ApiKeyEntity,
      MessageAttemptEntity,
    ],
    migrations: [
      CreateQueue1763700000000,
      AddChunkPlan1763900000000,
      AddLanes1764000000000,
      AddOperationRetry1764000100000,
      AddApiKeys1764000200000,
      AddRetention1764000300000,
      AddMessageAttempts1764300000000,
      AddFaultKind1764500000000,
    ],
    migrationsTableName: 'migrations',
    synchronize: false,
    applicationName: 'batch-service',
    installExtensions: false,
    extra: {
      Client: ServiceClient,
      max: database.poolSize,
      // Statements sent without awaiting the one before share a round trip.
      pipeline: true,
      connectionTimeoutMillis: 5000,
      keepAlive: true,
      // Compiling a statement costs more than any of ours takes.
      options: '-c jit=off',
      statement_timeout: execution.statementTimeoutMs,
      lock_timeout: execution.lockTimeoutMs,
      idle_in_transaction_session_timeout: execution.statementTimeoutMs,
    },
  };
}

/** Creates the schema and runs what is missing of the migrations; concurrent callers wait for one another. */
export async function migrate(dataSource: DataSource): Promise<string[]> {
  const runner = dataSource.createQueryRunner();
  try {
    await runner.query(`select pg_advisory_lock(hashtext('batch-service.migrations'))`);
    await runner.query(`create schema if not exists ${SCHEMA}`);
    const done = await dataSource.runMigrations({ transaction: 'all' });
    return done.map((migration) => migration.name);
  } finally {
    await runner.query(`select pg_advisory_unlock(hashtext('batch-service.migrations'))`);
    await runner.release();
  }
}

export function createDataSource(settings: DatabaseSettings): DataSource {
  return new DataSource(dataSourceOptions(settings));
}
