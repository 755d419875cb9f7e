import { DataSource, type DataSourceOptions } from 'typeorm';
import { ApiKeyEntity } from '../../entities/api-key.entity.js';
import { AuditEntity } from '../../entities/audit.entity.js';
import { ChunkEntity } from '../../entities/chunk.entity.js';
import { DelayedOperationEntity } from '../../entities/delayed-operation.entity.js';
import { CreateQueue1763700000000 } from '../../entities/migrations/1763700000000-create-queue.js';
import { AddChunkPlan1763900000000 } from '../../entities/migrations/1763900000000-add-chunk-plan.js';
import { AddLanes1764000000000 } from '../../entities/migrations/1764000000000-add-lanes.js';
import { AddOperationRetry1764000100000 } from '../../entities/migrations/1764000100000-add-operation-retry.js';
import { AddApiKeys1764000200000 } from '../../entities/migrations/1764000200000-add-api-keys.js';
import { AddRetention1764000300000 } from '../../entities/migrations/1764000300000-add-retention.js';
import { AddCreatedBy1764200000000 } from '../../entities/migrations/1764200000000-add-created-by.js';
import { AddParty1764200100000 } from '../../entities/migrations/1764200100000-add-party.js';
import { AddMessageAttempts1764300000000 } from '../../entities/migrations/1764300000000-add-message-attempts.js';
import { AddParkedNotifications1764400000000 } from '../../entities/migrations/1764400000000-add-parked-notifications.js';
import { AddFaultKind1764500000000 } from '../../entities/migrations/1764500000000-add-fault-kind.js';
import { AddKeySources1764600000000 } from '../../entities/migrations/1764600000000-add-key-sources.js';
import { EncryptApiKeys1764600100000 } from '../../entities/migrations/1764600100000-encrypt-api-keys.js';
import { AddAudit1764600200000 } from '../../entities/migrations/1764600200000-add-audit.js';
import { AddShapes1764700000000 } from '../../entities/migrations/1764700000000-add-shapes.js';
import { LaneFaultEntity } from '../../entities/lane-fault.entity.js';
import { LaneEntity } from '../../entities/lane.entity.js';
import { MessageAttemptEntity } from '../../entities/message-attempt.entity.js';
import { OperationEntity } from '../../entities/operation.entity.js';
import { OutcomeEntity } from '../../entities/outcome.entity.js';
import { ParkedNotificationEntity } from '../../entities/parked-notification.entity.js';
import { PendingOperationEntity } from '../../entities/pending-operation.entity.js';
import { ShapeEntity } from '../../entities/shape.entity.js';
import { WorkerEntity } from '../../entities/worker.entity.js';
import type { Settings } from '../config/settings.js';
import { databaseTls } from '../config/client-tls.js';
import { ServiceClient } from './service-client.js';

export const SCHEMA = 'batch';

/** The settings that `createDataSource` needs. */
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
      ShapeEntity,
      OperationEntity,
      PendingOperationEntity,
      DelayedOperationEntity,
      OutcomeEntity,
      ChunkEntity,
      LaneEntity,
      LaneFaultEntity,
      WorkerEntity,
      ApiKeyEntity,
      AuditEntity,
      MessageAttemptEntity,
      ParkedNotificationEntity,
    ],
    migrations: [
      CreateQueue1763700000000,
      AddChunkPlan1763900000000,
      AddLanes1764000000000,
      AddOperationRetry1764000100000,
      AddApiKeys1764000200000,
      AddRetention1764000300000,
      AddCreatedBy1764200000000,
      AddParty1764200100000,
      AddMessageAttempts1764300000000,
      AddParkedNotifications1764400000000,
      AddFaultKind1764500000000,
      AddKeySources1764600000000,
      EncryptApiKeys1764600100000,
      AddAudit1764600200000,
      AddShapes1764700000000,
    ],
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

/** @param applicationName the name by which administrators recognise its sessions */
export function createDataSource(settings: DatabaseSettings, applicationName = 'batch-service'): DataSource {
  return new DataSource({ ...dataSourceOptions(settings), applicationName } as DataSourceOptions);
}
