import { BatchJob, type BatchJobClass } from '../../batch/nest/batch-job.js';
import type { BatchBuilders } from '../../batch/job/batch-builders.js';
import type { JobDefinition } from '../../batch/job/job-definition.js';
import { FlatFileItemReader } from '../../batch/readers/flat-file-item-reader.js';
import { FlatFileParseError } from '../../batch/readers/resource-errors.js';
import { isDataError, isTransientDatabaseError } from '../../batch/sql/database-errors.js';
import { SqlItemWriter } from '../../batch/writers/sql-item-writer.js';

/** An order as the example jobs write it. */
export interface Order {
  order_no: string;
  customer: string;
  amount: string;
  ordered_on: string;
}

const CREATE_TABLE = `
  create table if not exists public.example_orders (
    order_no text primary key,
    customer text not null check (customer <> ''),
    amount numeric(12, 2) not null check (amount >= 0),
    ordered_on date not null
  )`;

const CHUNK_SIZE = 1000;

/** CSV to table: a file with the columns order_no, customer, amount and ordered_on. Bad lines and bad rows are skipped and kept. */
@BatchJob('importOrders')
export class ImportOrdersJob implements BatchJobClass {
  define(b: BatchBuilders): JobDefinition {
    const prepare = b.step('prepare').tasklet(async ({ tx }) => void (await tx.query({ text: CREATE_TABLE })));
    const load = b
      .step('load')
      .chunk(CHUNK_SIZE)
      .reader((scope) => new FlatFileItemReader({ resource: scope.param('file'), columns: true, map: toOrder }))
      .writer(new SqlItemWriter({ table: 'public.example_orders', mode: { upsert: ['order_no'] } }))
      .faultTolerant()
      .retry(isTransientDatabaseError)
      .retryLimit(3)
      .backOff({ initialMs: 50, maxMs: 1000, jitter: 0.2 })
      .skip(FlatFileParseError, isDataError)
      .skipLimit(10_000)
      .build();
    return b
      .job('importOrders')
      .describe('Reads orders from a CSV file into public.example_orders')
      .parameters({ file: { type: 'file', required: true, description: 'The path of the CSV file on the server' } })
      .start(prepare.build())
      .next(load)
      .build();
  }
}

/** @throws Error for a file without one of the columns */
function toOrder(row: Record<string, string>): Order {
  const { order_no, customer, amount, ordered_on } = row;
  if (order_no === undefined || customer === undefined || amount === undefined || ordered_on === undefined) {
    throw new Error('The columns are order_no, customer, amount and ordered_on');
  }
  return { order_no, customer, amount, ordered_on };
}
