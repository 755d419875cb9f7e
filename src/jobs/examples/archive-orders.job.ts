import { BatchJob, type BatchJobClass } from '../../batch/nest/batch-job.js';
import type { BatchBuilders } from '../../batch/job/batch-builders.js';
import type { JobDefinition } from '../../batch/job/job-definition.js';
import { SqlKeysetItemReader } from '../../batch/readers/sql-keyset-item-reader.js';
import { SqlItemWriter } from '../../batch/writers/sql-item-writer.js';
import { DatabaseService } from '../../services/database/database.service.js';
import type { Order } from './import-orders.job.js';

const CREATE_TABLE = `
  create schema if not exists example_archive;
  create table if not exists example_archive.orders (
    order_no text primary key,
    customer text not null,
    amount numeric(12, 2) not null,
    ordered_on date not null,
    archived_at timestamptz not null
  )`;

const CHUNK_SIZE = 1000;

/** Table to table in another schema: copies the orders before a day, page by page along the key. */
@BatchJob('archiveOrders')
export class ArchiveOrdersJob implements BatchJobClass {
  constructor(private readonly database: DatabaseService) {}

  define(b: BatchBuilders): JobDefinition {
    const prepare = b.step('prepare').tasklet(async ({ tx }) => void (await tx.query({ text: CREATE_TABLE })));
    const copy = b
      .step('copy')
      .chunk(CHUNK_SIZE)
      .reader(
        (scope) =>
          new SqlKeysetItemReader<Order>({
            database: this.database,
            select: `
              select order_no, customer, amount::text, ordered_on::text
              from public.example_orders where ordered_on < $1::date`,
            values: [scope.param<Date>('before')],
            key: ['order_no'],
          }),
      )
      .process((order) => ({ ...order, archived_at: new Date() }))
      .writer(new SqlItemWriter({ table: 'example_archive.orders', mode: { upsert: ['order_no'] } }))
      .build();
    return b
      .job('archiveOrders')
      .describe('Copies the orders before a day from public.example_orders to example_archive.orders')
      .parameters({ before: { type: 'date', required: true, description: 'Orders of earlier days are copied' } })
      .start(prepare.build())
      .next(copy)
      .build();
  }
}
