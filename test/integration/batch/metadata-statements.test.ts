import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startCountingProxy, type CountingProxy } from '../../../bench/counting/counting-proxy.js';
import type { Tally } from '../../../bench/counting/transaction.js';
import { ListItemReader } from '../../../src/batch/readers/list-item-reader.js';
import { BatchBuilders } from '../../../src/batch/job/batch-builders.js';
import { JobOperator } from '../../../src/batch/operator/job-operator.js';
import { JobRegistry } from '../../../src/batch/operator/job-registry.js';
import { PostgresJobRepository } from '../../../src/batch/repository/postgres-job-repository.js';
import { migrateBatchSchema } from '../../../src/batch/repository/schema.js';
import type { SqlClient } from '../../../src/interfaces/sql.js';
import { createTestDatabase, type TestDatabase } from '../../support/database.js';
import { eventually } from '../../support/eventually.js';
import { PoolTransactions } from '../../support/pool-transactions.js';
import { clientOptions } from '../../support/test-databases.js';

const CHUNK = 20;
/** A proxy between the engine and PostgreSQL counts what the server answers. */
describe('what a chunk costs beside its data', () => {
  let test: TestDatabase;
  let proxy: CountingProxy;
  let pool: pg.Pool;
  let database: PoolTransactions;
  const b = new BatchBuilders();
  beforeAll(async () => {
    test = await createTestDatabase({ migrated: false });
    await migrateBatchSchema(new PoolTransactions(test.client));
    await test.client.query('create table items (n int not null)');
    proxy = await startCountingProxy(test.connection);
    pool = new pg.Pool({ ...clientOptions({ ...test.connection, ...proxyAddress() }), max: 4 });
    database = new PoolTransactions(pool);
  });
  afterAll(async () => {
    await pool?.end();
    await proxy?.close();
    await test?.drop();
  });
  beforeEach(async () => void (await test.client.query('truncate items, batch.job_instances cascade')));

  const proxyAddress = () => ({ host: proxy.host, port: proxy.port });

  interface Run {
    chunks: number;
    /** What else is done in the transaction of each chunk. */
    extra?: (tx: SqlClient) => Promise<unknown>;
    /** False: nothing of the step has a position. */
    positioned?: boolean;
    bad?: boolean;
  }

  /** All that a job with so many chunks sends. Its writer sends one statement a chunk. */
  async function tallyOf({ chunks, extra, positioned = true, bad = false }: Run): Promise<Tally> {
    const items = Array.from({ length: chunks * CHUNK }, (_, index) => index + 1);
    const list = new ListItemReader(items);
    const step = b
      .step('load')
      .chunk(CHUNK)
      .reader(positioned ? list : () => withoutPosition(items))
      .process((n) => {
        if (bad && n % CHUNK === 0) throw new RangeError(`${n} is bad`);
        return n;
      })
      .writer({
        write: async (numbers, { tx }) => {
          await tx.query({ text: 'insert into items select unnest($1::int[])', values: [numbers] });
          await extra?.(tx);
        },
      })
      .faultTolerant()
      .skip(RangeError)
      .skipLimit(1000)
      .build();
    const registry = new JobRegistry<SqlClient>();
    registry.register(b.job('job').start(step).build());
    const repository = new PostgresJobRepository(database);
    const operator = new JobOperator({ repository, transactionManager: database, registry });
    proxy.reset();
    const { status } = await operator.run('job');
    await eventually(() => expect(proxy.busy).toBe(false));
    expect(status).toBe('COMPLETED');
    const { rows } = await test.client.query<{ count: number }>('select count(*)::int from items');
    expect(rows[0]!.count).toBe(chunks * (bad ? CHUNK - 1 : CHUNK));
    await test.client.query('truncate items, batch.job_instances cascade');
    return proxy.counted();
  }

  /** Of each chunk between the first three and the last. */
  async function perChunk(run: Omit<Run, 'chunks'> = {}): Promise<Tally> {
    const few = await tallyOf({ ...run, chunks: 3 });
    const many = await tallyOf({ ...run, chunks: 23 });
    const per = (name: keyof Tally): number => (many[name] - few[name]) / 20;
    return {
      statements: per('statements'),
      dataStatements: per('dataStatements'),
      commits: per('commits'),
      roundTrips: per('roundTrips'),
    };
  }

  // The savepoint of the first attempt to write belongs to fault tolerance: begin, savepoint, insert, release, progress, commit
  const CHEAP: Tally = { statements: 6, dataStatements: 2, commits: 1, roundTrips: 6 };

  it('is one statement for all metadata, in the transaction of the data', async () => {
    expect(await perChunk()).toEqual(CHEAP);
  });

  it('has for a skipped item only the question whether its transaction can still be used', async () => {
    // Savepoint and release
    expect(await perChunk({ bad: true })).toEqual({ ...CHEAP, statements: 8, roundTrips: 8 });
  });

  it('would show one statement more in each chunk', async () => {
    const extra = (tx: SqlClient) => tx.query({ text: 'select count(*) from batch.step_executions' });
    expect(await perChunk({ extra })).toEqual({ ...CHEAP, statements: 7, dataStatements: 3, roundTrips: 7 });
  });

  it.each([
    ['never with its context where no part of the step changes it', false, 0],
    ['with its context each time that the reader has moved', true, 4],
  ])('is sent %s', async (_, positioned, contexts) => {
    const saved: unknown[] = [];
    const spied = database.transaction.bind(database);
    // The progress goes through the transaction of the chunk.
    database.transaction = <T>(work: (tx: SqlClient) => Promise<T>): Promise<T> =>
      spied((tx) =>
        work({
          query: (statement) => {
            if (statement.name?.endsWith('save_progress') === true) saved.push(statement.values![10]);
            return tx.query(statement);
          },
        }),
      );
    try {
      await tallyOf({ chunks: 4, positioned });
    } finally {
      database.transaction = spied;
    }
    // Four chunks and the empty one at the end, which has nothing new.
    expect(saved).toHaveLength(5);
    expect(saved.filter((context) => context !== null)).toHaveLength(contexts);
  });
});

function withoutPosition(items: readonly number[]) {
  let next = 0;
  return { read: (): number | null => items[next++] ?? null };
}
