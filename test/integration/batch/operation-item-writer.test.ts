import { v5 as uuidv5 } from 'uuid';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  BatchBuilders,
  isTransientDatabaseError,
  ListItemReader,
  migrateBatchSchema,
  OperationItemWriter,
  OperationRefusedError,
  OperationsNotAcceptedError,
  PoolDatabase,
  type ChunkStepBuilder,
  type JobExecution,
  type OperationClient,
  type SqlClient,
  type StepExecution,
  type WriteOutcome,
} from '../../../src/batch/index.js';
import { BatchTestKit, fakeItemContext } from '../../../src/batch/testing/index.js';
import {
  BatchServiceClient,
  type ICreateBatchOperationRequest,
  type ICreateBatchOperationResult,
} from '../../../src/client/index.js';
import { startTestApp, type TestApp } from '../../support/app.js';
import { createTestDatabase, type TestDatabase } from '../../support/database.js';
import { refuse, startScriptedService } from '../../support/scripted-service.js';
import { freePort } from '../../support/free-port.js';
import { openWorker, type TestWorker } from '../../support/worker.js';
import { drain } from '../support/queue-session.js';

const NAMESPACE = '0d9c1f0e-5f2b-4a70-9a55-9a1d4b5f8c11';
const TABLE = 'create table stock (sku int primary key, quantity int not null default 0)';
const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

const b = new BatchBuilders();

type Define = (step: ChunkStepBuilder<number, number, SqlClient>) => ChunkStepBuilder<number, number, SqlClient>;

/** Runs a job of one step. Another call with the same database and job is a start in another process. */
async function run(
  database: TestDatabase,
  { items, chunk, job = 'job' }: { items: readonly number[]; chunk: number; job?: string },
  define: Define,
): Promise<{ execution: JobExecution; step: StepExecution; skips: string[] }> {
  const step = define(b.step('enqueue').chunk(chunk).reader(new ListItemReader(items))).build();
  const kit = BatchTestKit.forJob(b.job(job).start(step).build(), { database: database.client });
  const { execution, steps, skippedItems } = await kit.launchJob({}, { unique: false });
  return { execution, step: steps[0]!, skips: skippedItems.map(({ item, message }) => `${item}: ${message}`) };
}

describe('OperationItemWriter', () => {
  describe('in the transaction of the chunk', () => {
    let database: TestDatabase;
    let worker: TestWorker;
    const stocked = (sku: number): ICreateBatchOperationRequest => ({
      operationType: 'upsert',
      target: 'stock',
      values: { sku, quantity: sku },
    });
    const writer = (toOperation: (sku: number) => ICreateBatchOperationRequest = stocked) =>
      new OperationItemWriter({ toOperation });
    /** The operation of item `bad` names a column that does not exist. */
    const refusedFor =
      (...bad: number[]) =>
      (sku: number): ICreateBatchOperationRequest =>
        bad.includes(sku) ? { ...stocked(sku), values: { sku, amount: 1 } } : stocked(sku);
    /** The items of the stored operations, in the order in which they will be executed. */
    const stored = async (): Promise<number[]> => {
      const { rows } = await database.client.query<{ sku: number }>(
        `select (o.values->>0)::int as sku from batch.operations o join batch.pending using (seq) order by seq`,
      );
      return rows.map(({ sku }) => sku);
    };
    const written = async (): Promise<number[]> => {
      const { rows } = await database.client.query<{ sku: number }>('select sku from stock order by sku');
      return rows.map(({ sku }) => sku);
    };
    const inTransaction = <R>(work: (tx: SqlClient) => Promise<R>): Promise<R> =>
      new PoolDatabase(database.client).transaction(work);

    beforeAll(async () => {
      database = await createTestDatabase();
      await database.client.query(TABLE);
      await migrateBatchSchema(new PoolDatabase(database.client));
      worker = await openWorker(database);
    });
    afterAll(async () => {
      await worker?.close();
      await database?.drop();
    });
    beforeEach(() =>
      database.client.query(
        'truncate stock, batch.operations, batch.pending, batch.delayed, batch.outcomes, batch.chunks, batch.job_instances cascade',
      ),
    );

    it('creates an operation for each item, which the service executes', async () => {
      const { execution, step } = await run(database, { items: numbers(25), chunk: 10 }, (each) =>
        each.writer(writer()),
      );
      expect([execution.status, step.writeCount, step.commitCount]).toEqual(['COMPLETED', 25, 3]);
      await drain(database, worker);
      expect(await written()).toEqual(numbers(25));
    });

    it('leaves no operation of a chunk that is rolled back, and creates each once after a restart', async () => {
      let broken = true;
      const define: Define = (each) =>
        each.writer(writer()).listener({
          afterWrite: ([first]) => {
            if (broken && first === 11) throw new Error('broken after the write of the second chunk');
          },
        });
      const first = await run(database, { items: numbers(25), chunk: 10 }, define);
      expect([first.execution.status, await stored()]).toEqual(['FAILED', numbers(10)]);
      broken = false;
      const second = await run(database, { items: numbers(25), chunk: 10 }, define);
      expect([second.execution.status, await stored()]).toEqual(['COMPLETED', numbers(25)]);
    });

    it('skips refused operations alone, wherever they stand, and keeps the order of the others', async () => {
      const bad = [1, 120, 121, 300];
      const { execution, step, skips } = await run(database, { items: numbers(300), chunk: 300 }, (each) =>
        each
          .writer(writer(refusedFor(...bad)))
          .faultTolerant()
          .skip(OperationRefusedError)
          .skipLimit(4),
      );
      expect([execution.status, step.writeCount, step.writeSkipCount, step.rollbackCount]).toEqual([
        'COMPLETED',
        296,
        4,
        0,
      ]);
      expect(await stored()).toEqual(numbers(300).filter((sku) => !bad.includes(sku)));
      expect(skips[1]).toBe('120: The operation was refused with UNKNOWN_COLUMN: public.stock has no column "amount"');
    });

    it('fails the step where the skip policy does not allow the refusal, and stores nothing of the chunk', async () => {
      const { execution, step } = await run(database, { items: numbers(5), chunk: 5 }, (each) =>
        each.writer(writer(refusedFor(3))),
      );
      expect([execution.status, step.rollbackCount, await stored()]).toEqual(['FAILED', 1, []]);
      expect(execution.exitStatus.description).toContain('UNKNOWN_COLUMN');
    });

    it('says of each item what became of it, with the code and details of the service', async () => {
      const id = '0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f';
      const requests: ICreateBatchOperationRequest[] = [
        { ...stocked(1), id },
        { ...stocked(2), values: { sku: 2, amount: 1 } },
        { ...stocked(3), target: 'nowhere' },
        { ...stocked(4), values: { sku: 4n as never } },
        { ...stocked(5), values: { sku: 5, quantity: '\0' } },
        { ...stocked(6), id },
      ];
      const outcomes = await inTransaction((tx) => new OperationItemWriter({}).write(requests, fakeItemContext(tx)));
      expect(outcomes[0]).toEqual({ written: true, result: { id, status: 'pending', created: true } });
      expect(outcomes.slice(1).map(errorOf)).toMatchObject([
        { code: 'OPERATION_REFUSED', serviceCode: 'UNKNOWN_COLUMN', details: { column: 'amount' } },
        { code: 'OPERATION_REFUSED', serviceCode: 'UNKNOWN_TARGET' },
        { code: 'OPERATION_REFUSED', serviceCode: 'INVALID_REQUEST' },
        { code: 'OPERATION_REFUSED', serviceCode: 'INVALID_VALUE' },
        { code: 'OPERATION_REFUSED', serviceCode: 'IDEMPOTENCY_CONFLICT' },
      ]);
      expect(await stored()).toEqual([1]);
    });

    it('blames an item for what its mapping throws', async () => {
      const failing = writer((sku) => {
        if (sku === 2) throw new RangeError('no such stock');
        return stocked(sku);
      });
      const { step, skips } = await run(database, { items: [1, 2, 3], chunk: 3 }, (each) =>
        each.writer(failing).faultTolerant().skip(RangeError),
      );
      expect([step.writeCount, skips, await stored()]).toEqual([2, ['2: no such stock'], [1, 3]]);
    });

    it('makes several calls where one would have too many operations or bytes', async () => {
      await database.client.query('create table notes (id int primary key, note text)');
      const lengths: number[] = [];
      const watched = (tx: SqlClient): SqlClient => ({
        query(statement) {
          if (statement.text.includes('create_operations')) lengths.push(String(statement.values![0]).length);
          return tx.query(statement);
        },
      });
      const created = async (toOperation: (id: number) => ICreateBatchOperationRequest, count: number) => {
        lengths.length = 0;
        const outcomes = await inTransaction((tx) =>
          writer(toOperation).write(numbers(count), fakeItemContext(watched(tx))),
        );
        return outcomes.filter((each) => each.written).length;
      };
      expect([await created(stocked, 10_001), lengths.length]).toEqual([10_001, 2]);
      expect(await stored()).toEqual(numbers(10_001));
      const large = 'x'.repeat(900_000);
      const noted = (id: number) =>
        ({ operationType: 'insert', target: 'notes', values: { id, note: large } }) as const;
      expect(await created(noted, 40)).toBe(40);
      expect(lengths.map((each) => Math.round(each / large.length))).toEqual([18, 18, 4]);
    }, 60_000);

    it('throws what is not the fault of an operation, so that the chunk is retried', async () => {
      let calls = 0;
      const define: Define = (each) =>
        each
          .writer({
            reportsOutcomes: true,
            async write(items, context) {
              calls += 1;
              if (calls > 1) return writer().write(items, context);
              await context.tx.query({ text: 'set local lock_timeout = 1' });
              return writer().write(items, context);
            },
          })
          .faultTolerant()
          .retry(isTransientDatabaseError)
          .skip(OperationRefusedError);
      // The lane of the table is known, and held by another session.
      await run(database, { items: [1], chunk: 1, job: 'before' }, (each) => each.writer(writer()));
      await drain(database, worker);
      const holder = await database.client.connect();
      await holder.query('begin');
      await holder.query('select from batch.lanes for update');
      try {
        const { execution, step } = await run(database, { items: [2], chunk: 1 }, (each) =>
          define(each).listener({ onWriteError: async () => void (await holder.query('commit')) }),
        );
        expect([execution.status, step.rollbackCount, step.skipCount, calls]).toEqual(['COMPLETED', 1, 0, 2]);
      } finally {
        holder.release();
      }
    });
  });

  describe('with the client of a service that has a database of its own', () => {
    let service: TestApp;
    let client: BatchServiceClient;
    let database: TestDatabase;
    const identified = (sku: number): ICreateBatchOperationRequest => ({
      id: uuidv5(String(sku), NAMESPACE),
      operationType: 'increment',
      target: 'stock',
      key: { sku },
      values: { quantity: 1 },
    });
    const enqueued = async (): Promise<number> => {
      const { rows } = await service.database.client.query<{ n: number }>(
        'select count(*)::int as n from batch.operations',
      );
      return rows[0]!.n;
    };

    beforeAll(async () => {
      database = await createTestDatabase({ migrated: false });
      await migrateBatchSchema(new PoolDatabase(database.client));
      service = await startTestApp({ BATCH_SERVICE_RMQ_URL: '', REDIS_URL: '' }, { schema: TABLE });
      client = new BatchServiceClient({ transport: 'tcp', port: service.settings.rpcTcp.port });
    });
    afterAll(async () => {
      await client?.close();
      await service?.close();
      await database?.drop();
    });
    beforeEach(async () => {
      await database.client.query('truncate batch.job_instances cascade');
    });

    it('creates each operation once, although a failed chunk is sent again by the restart', async () => {
      let broken = true;
      const define: Define = (each) =>
        each.writer(new OperationItemWriter({ toOperation: identified, enqueue: client })).listener({
          afterWrite: () => {
            if (broken) throw new Error('broken after the write');
          },
        });
      const first = await run(database, { items: numbers(5), chunk: 5 }, define);
      expect([first.execution.status, await enqueued()]).toEqual(['FAILED', 5]);
      broken = false;
      const second = await run(database, { items: numbers(5), chunk: 5 }, define);
      expect([second.execution.status, second.step.writeCount, await enqueued()]).toEqual(['COMPLETED', 5, 5]);
    });

    it('skips refused operations alone', async () => {
      const toOperation = (sku: number) => (sku === 102 ? { ...identified(sku), target: 'nowhere' } : identified(sku));
      const { execution, skips } = await run(database, { items: [101, 102, 103], chunk: 3 }, (each) =>
        each
          .writer(new OperationItemWriter({ toOperation, enqueue: (requests) => client.createOperations(requests) }))
          .faultTolerant()
          .skip(OperationRefusedError),
      );
      expect(execution.status).toBe('COMPLETED');
      expect(skips).toEqual([expect.stringMatching(/^102: The operation was refused with UNKNOWN_TARGET: /)]);
    });

    it('refuses operations without an id before it sends anything, and no item is skipped for it', async () => {
      const before = await enqueued();
      const toOperation = (sku: number) => (sku === 203 ? { ...identified(sku), id: undefined } : identified(sku));
      const { execution } = await run(database, { items: [201, 202, 203], chunk: 3 }, (each) =>
        each
          .writer(new OperationItemWriter({ toOperation, enqueue: client }))
          .faultTolerant()
          .skip(Error),
      );
      expect([execution.status, await enqueued()]).toEqual(['FAILED', before]);
      expect(execution.exitStatus.description).toContain('An operation (increment of stock) has no id.');
    });
  });

  describe('with a service that takes no operations at the moment', () => {
    const operation: ICreateBatchOperationRequest = {
      id: '0198f2a0-3b1c-7d4e-9f50-6a7b8c9d0e1f',
      operationType: 'delete',
      target: 'stock',
      key: { sku: 1 },
    };
    const write = (enqueue: OperationClient) =>
      new OperationItemWriter<ICreateBatchOperationRequest, unknown>({ enqueue }).write([operation], fakeItemContext());

    it.each(['QUEUE_FULL', 'OVERLOADED', 'SHUTTING_DOWN', 'RATE_LIMITED'] as const)(
      'throws %s as an error that a retry policy can match, and blames no item',
      async (code) => {
        const port = await freePort();
        const service = await startScriptedService(
          { transport: 'tcp', port },
          { createOperations: () => refuse(code) },
        );
        const client = new BatchServiceClient({ transport: 'tcp', port, retries: 0 });
        try {
          const written = write(client);
          await expect(written).rejects.toBeInstanceOf(OperationsNotAcceptedError);
          await expect(written).rejects.toMatchObject({ code: 'OPERATIONS_NOT_ACCEPTED', serviceCode: code });
        } finally {
          await client.close();
          await service.close();
        }
      },
    );

    it('sends no more operations at a time than the service takes', async () => {
      const sent: number[] = [];
      const enqueue: OperationClient['createOperations'] = (requests) => {
        sent.push(requests.length);
        return Promise.resolve(requests.map(({ id }) => ({ id: id!, status: 'pending', created: true })));
      };
      const writer = new OperationItemWriter<number, unknown>({ toOperation: () => operation, enqueue });
      const outcomes = await writer.write(numbers(20_001), fakeItemContext());
      expect([sent, outcomes.length]).toEqual([[10_000, 10_000, 1], 20_001]);
    });

    it('throws the same when it cannot be reached, and other failures of the client as they are', async () => {
      const client = new BatchServiceClient({ transport: 'tcp', port: await freePort(), retries: 0 });
      await expect(write(client)).rejects.toMatchObject({ serviceCode: 'UNAVAILABLE' });
      await client.close();
      await expect(write(client)).rejects.toMatchObject({ code: 'CLIENT_CLOSED' });
    });
  });
});

const errorOf = (outcome: WriteOutcome<ICreateBatchOperationResult>): unknown =>
  outcome.written ? undefined : outcome.error;
