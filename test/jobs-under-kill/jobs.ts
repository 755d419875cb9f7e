import type { ItemListener } from '../../src/batch/chunk/item-listener.js';
import { BatchBuilders } from '../../src/batch/job/batch-builders.js';
import type { JobDefinition } from '../../src/batch/job/job-definition.js';
import { FlatFileItemReader } from '../../src/batch/readers/flat-file-item-reader.js';
import { FlatFileParseError } from '../../src/batch/readers/resource-errors.js';
import { SqlKeysetItemReader } from '../../src/batch/readers/sql-keyset-item-reader.js';
import { SqlItemWriter } from '../../src/batch/writers/sql-item-writer.js';
import type { SqlClient, SqlDatabase } from '../../src/interfaces/sql.js';
import { SABOTAGES, type Parts, type Sabotage, type SabotageName } from './sabotage.js';
import { insertTold } from './tables.sql.js';

/** `csv`: a file into a table. `migration`: a table into one of another schema. */
export const JOB_NAMES = ['csv', 'migration'] as const;
export type JobName = (typeof JOB_NAMES)[number];

/** `engine`: parts of a chunk are written again and again. `database`: one statement finds the bad items. */
export type Isolation = 'engine' | 'database';

interface Item {
  line: number;
  amount: string;
  code: string | null;
  note: string;
}

class UnwantedError extends Error {}

/** What PostgreSQL refuses for the values of a row. */
const isRefusedRow = (error: unknown): boolean =>
  ['23505', '23514', '22P02'].includes((error as { code: string }).code);

export interface JobOptions {
  database: SqlDatabase;
  file: string;
  chunkSize: number;
  sabotage: SabotageName | undefined;
}

export function makeJob(name: JobName, { database, file, chunkSize, sabotage }: JobOptions): JobDefinition {
  const b = new BatchBuilders();
  const step = (): Parts<Item> => {
    const reader = name === 'csv' ? csvReader(file) : tableReader(database);
    const writer = new SqlItemWriter<Item>({ table: 'new.items', columns: ['line', 'amount', 'code', 'note'] });
    const parts: Parts<Item> = { reader, writer, listener: teller };
    const wrong: Sabotage | undefined = sabotage && SABOTAGES[sabotage];
    return wrong?.apply(parts, database) ?? parts;
  };
  const { reader, writer, listener } = step();
  const load = b
    .step('load')
    .chunk(chunkSize)
    .reader<Item>(reader)
    .process(withoutUnwanted)
    .writer(writer)
    .faultTolerant()
    .skip(FlatFileParseError, UnwantedError, isRefusedRow)
    .skipLimit(1_000_000)
    .listener(listener)
    .build();
  return b.job(name).start(load).build();
}

function csvReader(file: string) {
  return new FlatFileItemReader({
    name: 'source',
    resource: file,
    columns: ['amount', 'code', 'note'],
    map: ({ amount, code, note }, line): Item => ({ line, amount, code: code === '' ? null : code, note }),
  }) as FlatFileItemReader<'amount' | 'code' | 'note', Item> & { name: string };
}

function tableReader(database: SqlDatabase) {
  return new SqlKeysetItemReader<Item>({
    name: 'source',
    database,
    select: 'select region, line, amount, code, note from old.items',
    key: ['region', 'line'],
    fetchSize: 250,
  }) as SqlKeysetItemReader<Item> & { name: string };
}

function withoutUnwanted(item: Item): Item | null {
  if (item.note === 'unwanted') throw new UnwantedError(`Line ${item.line} is unwanted`);
  return item.note === 'nothing' ? null : item;
}

/** Tells of each skip in the transaction of the chunk. */
const teller: ItemListener<Item, Item, SqlClient> = {
  onSkipInRead: async (error, { tx }) => {
    await tx.query(insertTold('read', (error as FlatFileParseError).lineNumber));
  },
  onSkipInProcess: async ({ line }, _, { tx }) => {
    await tx.query(insertTold('process', line));
  },
  onSkipInWrite: async ({ line }, _, { tx }) => {
    await tx.query(insertTold('write', line));
  },
};
