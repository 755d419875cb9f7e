import type { DataSource } from 'typeorm';
import { v7 as uuid } from 'uuid';
import { LightLanesJob } from '../../src/jobs/light-lanes.job.js';
import { HeavyLanes } from '../../src/services/queue/heavy-lanes.js';
import { LaneRecoveryJob } from '../../src/jobs/lane-recovery.job.js';
import { OperationChunkJob } from '../../src/jobs/operation-chunk.job.js';
import { OperationStepFactory } from '../../src/jobs/operation-step.factory.js';
import { CatalogService } from '../../src/services/catalog/catalog.service.js';
import { LaneBlockEntity } from '../../src/entities/lane-block.entity.js';
import type { Settings } from '../../src/services/config/settings.js';
import { createDataSource } from '../../src/services/database/data-source.js';
import { DatabaseService } from '../../src/services/database/database.service.js';
import { BugsService } from '../../src/services/health/bugs.service.js';
import { ServiceError } from '../../src/services/errors/service-error.js';
import { checkOperation } from '../../src/services/intake/check-operation.js';
import { parseRequest } from '../../src/services/intake/parse-request.js';
import { HealthService } from '../../src/services/health/health.service.js';
import { ExecutorService } from '../../src/services/executor/executor.service.js';
import { MetricsService } from '../../src/services/observability/metrics.service.js';
import { ClaimService } from '../../src/services/queue/claim.service.js';
import { LaneBlocksService } from '../../src/services/queue/lane-blocks.service.js';
import { LaneRegisterService } from '../../src/services/queue/lane-register.service.js';
import { LanesService } from '../../src/services/queue/lanes.service.js';
import type { NewOperation } from '../../src/services/queue/new-operation.js';
import { QueueService } from '../../src/services/queue/queue.service.js';
import { nameShape, objectShape, type Shape } from '../../src/services/queue/shape.js';
import { ShapesService } from '../../src/services/queue/shapes.service.js';
import { objectRowText, rowValueText } from '../../src/services/queue/stored-row.js';
import { ExactJson, type GivenRow } from '../../src/services/values/exact-json.js';
import { parseStoredRow } from '../../src/services/values/parse-json.js';
import { WakeUpService } from '../../src/services/wake-up/wake-up.service.js';
import { testSettings, type TestEnvironment } from './test-settings.js';
import type { TestDatabase } from './database.js';

/**
 * Queue and jobs of one worker, without a poller: tests say when a chunk is executed. The main job executes all lanes,
 * unless the worker was opened with `lightLanes`.
 */
export interface TestWorker {
  database: DatabaseService;
  queue: QueueService;
  claims: ClaimService;
  lanes: LanesService;
  register: LaneRegisterService;
  faults: LaneBlocksService;
  catalog: CatalogService;
  job: OperationChunkJob;
  /** Executes the other lanes while `job` is busy. */
  lightLanes: LightLanesJob;
  heavyLanes: HeavyLanes;
  /** Tries blocked lanes. */
  recovery: LaneRecoveryJob;
  metrics: MetricsService;
  health: HealthService;
  close(): Promise<void>;
}

export function openWorker(
  { environment }: Pick<TestDatabase, 'environment'>,
  overrides: TestEnvironment = {},
  options?: TestWorkerOptions,
): Promise<TestWorker> {
  const settings = testSettings({ ...environment, REDIS_URL: '', BATCH_SERVICE_RMQ_URL: '', ...overrides });
  return openWorkerWith(settings, options);
}

export interface TestWorkerOptions {
  /** True when the test also polls `lightLanes`. Then the main job may leave lanes to it. Default: false. */
  lightLanes?: boolean;
}

/** Also outside of vitest. */
export async function openWorkerWith(
  settings: Settings,
  { lightLanes: withLightLanes = false }: TestWorkerOptions = {},
): Promise<TestWorker> {
  const dataSource: DataSource = await createDataSource(settings).initialize();
  const database = new DatabaseService(dataSource);
  const catalog = new CatalogService(database, settings);
  const register = new LaneRegisterService(database, catalog);
  const lanes = new LanesService(database, register);
  const faults = new LaneBlocksService(dataSource.getRepository(LaneBlockEntity), database, settings);
  const shapes = new ShapesService(database);
  const queue = new QueueService(database, register, shapes, settings);
  const claims = new ClaimService(lanes, shapes, settings);
  const metrics = new MetricsService();
  const wakeUp = new WakeUpService(settings);
  const health = new HealthService();
  const bugs = new BugsService(metrics, health);
  bugs.onModuleInit();
  const steps = new OperationStepFactory(
    settings,
    database,
    catalog,
    new ExecutorService(),
    queue,
    claims,
    metrics,
    bugs,
    wakeUp,
  );
  const heavyLanes = new HeavyLanes(withLightLanes ? settings : { database: { ...settings.database, poolSize: 1 } });
  const job = new OperationChunkJob(settings, steps, queue, lanes, register, faults, heavyLanes, bugs);
  const lightLanes = new LightLanesJob(settings, steps, faults, heavyLanes, job);
  const recovery = new LaneRecoveryJob(steps, faults);
  const close = async (): Promise<void> => {
    // As a worker that is stopped; one that cannot say so any more is missed a few seconds later.
    await lanes.leave().catch(() => undefined);
    await dataSource.destroy();
  };
  return {
    database,
    queue,
    claims,
    lanes,
    register,
    faults,
    catalog,
    job,
    lightLanes,
    heavyLanes,
    recovery,
    metrics,
    health,
    close,
  };
}

/** A request as intake checks and stores it, for a table that exists. */
export async function checkedOperation(
  { catalog }: Pick<TestWorker, 'catalog'>,
  request: unknown,
): Promise<NewOperation> {
  const parsedRequest = parseRequest(request, { maxOperationKb: 1024, now: new Date() });
  if (parsedRequest instanceof ServiceError) throw parsedRequest;
  const checked = checkOperation(parsedRequest, await catalog.table(parsedRequest.target));
  if (checked instanceof ServiceError) throw checked;
  return checked;
}

/** A checked operation, with its key and its values as texts of JSON objects. */
export interface Requested
  extends
    Partial<Omit<NewOperation, 'shape' | 'row'>>,
    Pick<Shape, 'type' | 'target'>,
    Partial<Pick<Shape, 'onConflict' | 'conflictKey' | 'mustExist'>> {
  key?: string | null;
  values?: string | null;
}

/** As intake makes it, but that it knows of no table: columns come in the order of the request. */
export function newOperation(requested: Requested): NewOperation {
  const { type, target, key, values, onConflict, conflictKey, mustExist, ...rest } = requested;
  const keyRow = parsed(key);
  const valuesRow = parsed(values);
  const cells = [...Object.values(keyRow ?? {}), ...Object.values(valuesRow ?? {})];
  const documents = cells.map((value) => typeof value === 'object' && value !== null && !isExactNumber(value));
  const texts = cells.map((value, place) => rowValueText(value, documents[place] === true ? 'document' : 'other'));
  const shape = nameShape({
    type,
    target,
    keyColumns: keyRow && Object.keys(keyRow),
    valueColumns: valuesRow && Object.keys(valuesRow),
    documents: documents.flatMap((document, place) => (document ? [place] : [])),
    byColumn: true,
    onConflict: onConflict ?? (type === 'insert' ? 'error' : null),
    conflictKey: conflictKey ?? null,
    mustExist: mustExist ?? false,
  });
  // Half a surrogate pair, which intake refuses, is no `jsonb`.
  const stored =
    texts.includes(undefined) || /\\ud[89a-f]/i.test(texts.join(''))
      ? { shape: objectShape(shape), row: objectRowText({ key: keyRow, values: valuesRow }) }
      : { shape, row: `[${texts.join(',')}]` };
  return {
    id: uuid(),
    ...stored,
    priority: 0,
    runAt: null,
    source: null,
    createdBy: null,
    retryLimit: null,
    retryOn: null,
    ...rest,
  };
}

const parsed = (json: string | null | undefined): GivenRow | null =>
  json === null || json === undefined ? null : parseStoredRow(json);

const isExactNumber = (value: unknown): boolean => value instanceof ExactJson && value.kind === 'number';
