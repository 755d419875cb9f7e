import type pg from 'pg';
import { newOperation, openWorker, type TestWorker } from '../../support/worker.js';
import type { TestDatabase } from '../../support/database.js';
import type { NewOperation } from '../../../src/services/queue/new-operation.js';
import type { TestEnvironment } from '../../support/test-settings.js';
import type { TestOperation } from '../../support/serial-oracle.js';
import type { Saboteur } from '../../support/saboteur.js';

const FOREVER = new AbortController().signal;
const MAX_POLLS = 40;

/** As intake stores it. Tables are in `public`. */
export function toNewOperation(operation: TestOperation): NewOperation {
  const { operationType, target, key, values, onConflict, conflictKey, mustExist } = operation;
  return newOperation({
    type: operationType,
    target: `public.${target}`,
    key: key === undefined ? null : JSON.stringify(key),
    values: values === undefined ? null : JSON.stringify(values),
    onConflict: onConflict ?? (operationType === 'insert' ? 'error' : null),
    conflictKey: conflictKey ?? null,
    mustExist: mustExist ?? false,
  });
}

/** A worker whose connections are watched. */
export async function openWatchedWorker(
  database: TestDatabase,
  saboteur: Saboteur,
  environment: TestEnvironment = {},
): Promise<TestWorker> {
  const worker = await openWorker(database, environment);
  const { pool } = worker.database as unknown as { pool: pg.Pool };
  pool.on('acquire', (client) => saboteur.watch(client));
  return worker;
}

/**
 * Polls until nothing is pending, as if the retry of every blocked lane were due. A poll may fail: its operations stay
 * for the next one.
 *
 * @returns what failed polls threw
 */
export async function drain({ client }: TestDatabase, { job, recovery }: TestWorker): Promise<unknown[]> {
  const errors: unknown[] = [];
  for (let polls = 0; polls < MAX_POLLS; polls += 1) {
    await job.poll(FOREVER).catch((error: unknown) => errors.push(error));
    await client.query('update batch.lane_blocks set next_try_at = now()');
    await recovery.poll(FOREVER).catch((error: unknown) => errors.push(error));
    const { rowCount } = await client.query('select 1 from batch.pending limit 1');
    if (rowCount === 0) return errors;
  }
  throw new AggregateError(errors, `Operations are pending after ${MAX_POLLS} polls`);
}

/** What callers are told of each operation, in the order in which they were accepted. */
export async function verdicts({ client }: TestDatabase): Promise<string[]> {
  const { rows } = await client.query<{ verdict: string }>(`
    select concat_ws(' ', status, rows_affected, code, sql_state, constraint_name, column_name,
      case when attempts <> 1 then attempts || ' attempts' end) as verdict
    from batch.batch_operations order by seq`);
  return rows.map(({ verdict }) => verdict);
}

/** What became of each operation so far, those that wait included, as `OneByOne` says it. */
export async function fates({ client }: TestDatabase): Promise<string[]> {
  const { rows } = await client.query<{ fate: string }>(`
    select concat_ws(' ', status, wait_reason, rows_affected_if_completed, code, sql_state, constraint_name)
      || ', attempts ' || attempts as fate
    from (
      select *, case when status = 'completed' then rows_affected end as rows_affected_if_completed
      from batch.batch_operations
    ) o order by seq`);
  return rows.map(({ fate }) => fate);
}

/** Time goes by: whatever waits comes back. */
export async function comeBack({ client }: TestDatabase, { queue }: TestWorker): Promise<void> {
  await client.query(`update batch.delayed set available_at = available_at - interval '1 year'`);
  await queue.releaseDue();
}

/** In what way the ledger is wrong: each operation is settled in exactly one chunk, and each chunk counts what it has. */
export async function ledgerFaults({ client }: TestDatabase): Promise<string[]> {
  const { rows } = await client.query<{ fault: string }>(`
    select 'operation ' || o.seq || ' is in ' || count(c.id) || ' chunks' as fault
    from batch.operations o left join batch.chunks c on c.seqs @> o.seq
    group by o.seq having count(c.id) <> 1
    union all
    select 'chunk ' || c.id || ' counts ' || c.operations || ', ' || c.completed || ', ' || c.failed
    from batch.chunks c
    cross join lateral (
      select count(*) as operations, count(*) filter (where x.status = 'failed') as failed
      from batch.operations o left join batch.outcomes x on x.seq = o.seq where c.seqs @> o.seq
    ) o
    where c.operations <> o.operations or c.failed <> o.failed or c.completed <> o.operations - o.failed
    union all
    select 'operation ' || seq || ' has several outcomes' from batch.outcomes group by seq having count(*) > 1`);
  return rows.map(({ fault }) => fault);
}

export async function dumpTables({ client }: TestDatabase, tables: readonly string[]): Promise<string[]> {
  const parts = tables.map((table) => `select '${table} ' || t::text as row from ${table} t`);
  const { rows } = await client.query<{ row: string }>(`${parts.join(' union all ')} order by 1`);
  return rows.map(({ row }) => row);
}

export const EMPTY_QUEUE =
  'delete from batch.lane_blocks; delete from batch.outcomes; delete from batch.chunks; delete from batch.pending; delete from batch.operations;';
