import { describe, expectTypeOf, it } from 'vitest';
import { BatchBuilders } from '../../../src/batch/job/batch-builders.js';
import { FixedWidthItemReader } from '../../../src/batch/readers/fixed-width-item-reader.js';
import { FlatFileItemReader } from '../../../src/batch/readers/flat-file-item-reader.js';
import { JsonLinesItemReader } from '../../../src/batch/readers/json-lines-item-reader.js';
import { ListItemReader } from '../../../src/batch/readers/list-item-reader.js';
import { SqlCursorItemReader } from '../../../src/batch/readers/sql-cursor-item-reader.js';
import { SqlKeysetItemReader } from '../../../src/batch/readers/sql-keyset-item-reader.js';
import { OperationItemWriter } from '../../../src/batch/writers/operation-item-writer.js';
import type { ICreateBatchOperationRequest } from '../../../src/interfaces/operation.js';
import type { SqlDatabase } from '../../../src/interfaces/sql.js';

const b = new BatchBuilders();
const resource = 'people.csv';

describe('the types of items', () => {
  it('of a file without a map are rows with the columns that are named', () => {
    const columns = ['id', 'name'] as const;
    b.step('load')
      .chunk(1)
      .reader(new FlatFileItemReader({ resource, columns }))
      .process((row) => (expectTypeOf(row).toEqualTypeOf<Record<'id' | 'name', string>>(), row));
    b.step('load')
      .chunk(1)
      .reader(() => new FlatFileItemReader({ resource, columns: ['id', 'name'] }))
      .process((row) => (expectTypeOf(row).toEqualTypeOf<Record<'id' | 'name', string>>(), row));
    b.step('load')
      .chunk(1)
      .reader(new FixedWidthItemReader({ resource, columns: [['id', 1, 3]] }))
      .process((row) => (expectTypeOf(row).toEqualTypeOf<Record<'id', string>>(), row));
  });

  it('of a file whose first line names the columns have texts only', () => {
    b.step('load')
      .chunk(1)
      .reader(new FlatFileItemReader({ resource, columns: true }))
      .process((row) => (expectTypeOf(row).toEqualTypeOf<Record<string, string>>(), row));
  });

  it('of a query are rows of unknown values, unless the reader names their type', () => {
    const database = { query: () => undefined, transaction: () => undefined } as unknown as SqlDatabase;
    const select = 'select id from person';
    b.step('load')
      .chunk(1)
      .reader(new SqlCursorItemReader({ database, select }))
      .process((row) => (expectTypeOf(row).toEqualTypeOf<Record<string, unknown>>(), row));
    b.step('load')
      .chunk(1)
      .reader(new SqlKeysetItemReader<{ id: string }>({ database, select, key: ['id'] }))
      .process((row) => (expectTypeOf(row).toEqualTypeOf<{ id: string }>(), row));
    b.step('load')
      .chunk(1)
      .reader(new JsonLinesItemReader({ resource }))
      .process((item) => (expectTypeOf(item).toEqualTypeOf<unknown>(), item));
  });

  it('are what map makes of a row, and the processor passes on what it answers but null', () => {
    b.step('load')
      .chunk(1)
      .reader(
        new FlatFileItemReader({
          resource,
          columns: ['id', 'name'],
          map: ({ id, name }) => ({ id: Number(id), name }),
        }),
      )
      .process((person) => (expectTypeOf(person).toEqualTypeOf<{ id: number; name: string }>(), person))
      .process((person) => (person.id === 0 ? null : { key: person.id }))
      .process((keyed) => (expectTypeOf(keyed).toEqualTypeOf<{ key: number }>(), keyed));
  });

  it('are checked: a column that is not there is an error of the compiler', () => {
    b.step('load')
      .chunk(1)
      .reader(new FlatFileItemReader({ resource, columns: ['id', 'name'] }))
      // @ts-expect-error -- there is no such column
      .process((row) => String(row.nmae));
    b.step('load')
      .chunk(1)
      .reader(new ListItemReader([1, 2]))
      .process((item) => (expectTypeOf(item).toEqualTypeOf<number>(), item));
  });

  it('of an operation writer that is given no mapping are operations, and it needs SQL or a client', () => {
    const enqueue = () => Promise.resolve([]);
    new OperationItemWriter({});
    new OperationItemWriter<ICreateBatchOperationRequest, unknown>({ enqueue });
    const toOperation = ({ id }: { id: number }) =>
      ({ operationType: 'delete', target: 'orders', key: { id } }) as const;
    const writer = new OperationItemWriter({ toOperation });
    expectTypeOf(writer).toEqualTypeOf<OperationItemWriter<{ id: number }>>();
    // @ts-expect-error -- a number is no operation
    new OperationItemWriter<number>({});
    // @ts-expect-error -- a transaction that is not one of PostgreSQL
    new OperationItemWriter<ICreateBatchOperationRequest, unknown>({});
  });
});
