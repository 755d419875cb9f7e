import { BulkActionEntity } from '../../entities/bulk-action.entity.js';
import { BulkStepEntity } from '../../entities/bulk-step.entity.js';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { AlertDeliveryEntity } from '../../entities/alert-delivery.entity.js';
import { AlertEntity } from '../../entities/alert.entity.js';
import { ApiKeyEntity } from '../../entities/api-key.entity.js';
import { AuditEntity } from '../../entities/audit.entity.js';
import { ChunkEntity } from '../../entities/chunk.entity.js';
import { DelayedOperationEntity } from '../../entities/delayed-operation.entity.js';
import { InitialSchema1764800000000 } from '../../entities/migrations/1764800000000-initial-schema.js';
import { LaneBlockEntity } from '../../entities/lane-block.entity.js';
import { LaneEntity } from '../../entities/lane.entity.js';
import { MessageAttemptEntity } from '../../entities/message-attempt.entity.js';
import { OperationEntity } from '../../entities/operation.entity.js';
import { OutcomeEntity } from '../../entities/outcome.entity.js';
import { ParkedNotificationEntity } from '../../entities/parked-notification.entity.js';
import { PauseEntity } from '../../entities/pause.entity.js';
import { PendingOperationEntity } from '../../entities/pending-operation.entity.js';
import { ShapeEntity } from '../../entities/shape.entity.js';
import { StatsSampleEntity } from '../../entities/stats-sample.entity.js';
import { WorkerEntity } from '../../entities/worker.entity.js';
import type { Settings } from '../config/settings.js';
import { databaseTls } from '../config/client-tls.js';
import { ServiceClient } from './service-client.js';

export const SCHEMA = 'batch';

/** The settings that `createDataSource` needs. */
export type DatabaseSettings = Pick<Settings, 'database' | 'execution'>;

/** @param applicationName the name by which administrators recognise its sessions */
export function dataSourceOptions(
  { database, execution }: DatabaseSettings,
  applicationName = 'batch-service',
): DataSourceOptions {
  return {
    type: 'postgres',
    applicationName,
    host: database.host,
    port: database.port,
    database: database.name,
    username: database.username,
    password: database.password,
    ssl: databaseTls(database.ssl),
    schema: SCHEMA,
    entities: [
      BulkActionEntity,
      BulkStepEntity,
      ShapeEntity,
      OperationEntity,
      PendingOperationEntity,
      DelayedOperationEntity,
      OutcomeEntity,
      ChunkEntity,
      LaneEntity,
      LaneBlockEntity,
      PauseEntity,
      WorkerEntity,
      StatsSampleEntity,
      ApiKeyEntity,
      AuditEntity,
      MessageAttemptEntity,
      ParkedNotificationEntity,
      AlertEntity,
      AlertDeliveryEntity,
    ],
    migrations: [InitialSchema1764800000000],
    migrationsTableName: 'migrations',
    synchronize: false,
    installExtensions: false,
    extra: {
      Client: ServiceClient,
      max: database.poolSize,
      // Statements that are sent without awaiting the previous one share a round trip.
      pipeline: true,
      connectionTimeoutMillis: 5000,
      keepAlive: true,
      statement_timeout: execution.statementTimeoutMs,
      lock_timeout: execution.lockTimeoutMs,
      idle_in_transaction_session_timeout: execution.statementTimeoutMs,
    },
  };
}

export function createDataSource(settings: DatabaseSettings, applicationName?: string): DataSource {
  return new DataSource(dataSourceOptions(settings, applicationName));
}
