import type { DataSource } from 'typeorm';
import { v7 as uuid } from 'uuid';
import { LaneRecoveryJob } from '../../src/jobs/lane-recovery.job.js';
import { OperationChunkJob } from '../../src/jobs/operation-chunk.job.js';
import { OperationStepFactory } from '../../src/jobs/operation-step.factory.js';
import { CatalogService } from '../../src/services/catalog/catalog.service.js';
import type { Settings } from '../../src/services/config/settings.js';
import { createDataSource } from '../../src/services/database/data-source.js';
import { DatabaseService } from '../../src/services/database/database.service.js';
import { BugsService } from '../../src/services/health/bugs.service.js';
import { HealthService } from '../../src/services/health/health.service.js';
import { SurveyService } from '../../src/services/survey/survey.service.js';
import { ExecutorService } from '../../src/services/executor/executor.service.js';
import { MetricsService } from '../../src/services/observability/metrics.service.js';
import { ClaimService } from '../../src/services/queue/claim.service.js';
import { LanesService } from '../../src/services/queue/lanes.service.js';
import type { NewOperation } from '../../src/services/queue/new-operation.js';
import { QueueService } from '../../src/services/queue/queue.service.js';
import { WakeUpService } from '../../src/services/wake-up/wake-up.service.js';
import { testSettings, type TestEnvironment } from './test-settings.js';
import type { TestDatabase } from './database.js';

/** Queue and main job of one worker, without a poller: tests say when a chunk is executed. */
export interface TestWorker {
  database: DatabaseService;
  queue: QueueService;
  claims: ClaimService;
  lanes: LanesService;
  catalog: CatalogService;
  job: OperationChunkJob;
  /** Tries lanes that stand still. */
  recovery: LaneRecoveryJob;
  metrics: MetricsService;
  health: HealthService;
  close(): Promise<void>;
}

export function openWorker(
  { environment }: Pick<TestDatabase, 'environment'>,
  overrides: TestEnvironment = {},
): Promise<TestWorker> {
  return openWorkerWith(testSettings({ ...environment, REDIS_URL: '', BATCH_SERVICE_RMQ_URL: '', ...overrides }));
}

/** Also outside of vitest. */
export async function openWorkerWith(settings: Settings): Promise<TestWorker> {
  const dataSource: DataSource = await createDataSource(settings).initialize();
  const database = new DatabaseService(dataSource);
  const catalog = new CatalogService(database, settings);
  const lanes = new LanesService(database, catalog, settings);
  const queue = new QueueService(database, lanes, settings);
  const claims = new ClaimService(lanes, settings);
  const metrics = new MetricsService();
  const wakeUp = new WakeUpService(settings);
  const health = new HealthService();
  const bugs = new BugsService(metrics, health);
  bugs.onModuleInit();
  const steps = new OperationStepFactory(
    settings,
    database,
    catalog,
    new SurveyService(),
    new ExecutorService(),
    queue,
    claims,
    lanes,
    metrics,
    bugs,
    wakeUp,
  );
  const job = new OperationChunkJob(settings, steps, queue, lanes, bugs);
  const recovery = new LaneRecoveryJob(steps, lanes);
  const close = async (): Promise<void> => {
    // As a worker that is stopped; one that cannot say so any more is missed a few seconds later.
    await lanes.leave().catch(() => undefined);
    await dataSource.destroy();
  };
  return { database, queue, claims, lanes, catalog, job, recovery, metrics, health, close };
}

/** A checked operation as intake makes it. */
export function newOperation(overrides: Partial<NewOperation> & Pick<NewOperation, 'type' | 'target'>): NewOperation {
  return {
    id: uuid(),
    key: null,
    values: null,
    onConflict: overrides.type === 'insert' ? 'error' : null,
    conflictKey: null,
    mustExist: false,
    priority: 0,
    runAt: null,
    source: null,
    createdBy: null,
    retryLimit: null,
    retryOn: null,
    ...overrides,
  };
}
