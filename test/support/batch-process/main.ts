import { Logger } from '@nestjs/common';
import pg from 'pg';
import { BatchBuilders } from '../../../src/batch/job/batch-builders.js';
import { BatchError } from '../../../src/batch/model/batch-error.js';
import { JobOperator } from '../../../src/batch/operator/job-operator.js';
import { JobRegistry } from '../../../src/batch/operator/job-registry.js';
import { SqlKeysetItemReader } from '../../../src/batch/readers/sql-keyset-item-reader.js';
import { PostgresJobRepository } from '../../../src/batch/repository/postgres-job-repository.js';
import { SqlItemWriter } from '../../../src/batch/writers/sql-item-writer.js';
import type { SqlClient } from '../../../src/interfaces/sql.js';
import { clientOptions } from '../test-databases.js';
import { PoolTransactions } from '../pool-transactions.js';
import type { BatchProcessOptions, Order, Told } from './messages.js';

const tell = (told: Told): void => void process.send!(told);
/** Of a gate that is open, and what waits for one that is not. */
let open: () => void = () => undefined;
let gate = Promise.resolve();

/**
 * A process with two jobs. `wait` runs until it is told to end. `copy` copies the numbers of table `source` into table `target`, ten
 * in a transaction, tells of each chunk before its commit, and waits there when it was ordered to.
 */
function makeOperator({ connection, leaseMs }: BatchProcessOptions): JobOperator<SqlClient> {
  const database = new PoolTransactions(new pg.Pool({ ...clientOptions(connection), max: 4 }));
  const b = new BatchBuilders();
  const wait = b
    .step('wait')
    .tasklet(async () => gate)
    .build();
  const writer = new SqlItemWriter<{ n: number }>({ table: 'target' });
  const copy = b
    .step('copy')
    .chunk(10)
    .reader(new SqlKeysetItemReader<{ n: number }>({ database, select: 'select n from source', key: ['n'] }))
    .writer({
      write: async (items, context) => {
        await writer.write(items, context);
        tell({ is: 'chunk', first: items[0]!.n });
        await gate;
      },
    })
    .build();
  const registry = new JobRegistry<SqlClient>();
  registry.register(b.job('wait').start(wait).build());
  registry.register(b.job('copy').start(copy).build());
  const repository = new PostgresJobRepository(database);
  return new JobOperator({ repository, transactionManager: database, registry, leaseMs });
}

async function carryOut(operator: JobOperator<SqlClient>, order: Order): Promise<void> {
  switch (order.do) {
    case 'hold':
      gate = new Promise((resolve) => (open = resolve));
      return;
    case 'next gate': {
      const before = open;
      gate = new Promise((resolve) => (open = resolve));
      return before();
    }
    case 'go on':
      return open();
    case 'open':
      return operator.open();
    case 'start':
      return start(operator, order);
    default:
      order satisfies never;
  }
}

async function start(operator: JobOperator<SqlClient>, { job, round, at }: Order & { do: 'start' }): Promise<void> {
  // Both processes look at the same clock, more exactly than messages and timers come.
  while (Date.now() < at);
  try {
    const { id } = await operator.start(job, { round });
    tell({ is: 'started', id });
    const { status } = await operator.awaitEnd(id, { pollMs: 5 });
    tell({ is: 'ended', id, status });
  } catch (error) {
    tell({ is: 'refused', name: (error as Error).name, code: error instanceof BatchError ? error.code : '' });
  }
}

Logger.overrideLogger(false);
const operator = makeOperator(JSON.parse(process.argv[2]!) as BatchProcessOptions);
process.on('message', (order: Order) => void carryOut(operator, order));
process.on('disconnect', () => process.exit());
tell({ is: 'ready' });
