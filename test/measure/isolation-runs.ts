import pg from 'pg';
import { CatalogService } from '../../src/services/catalog/catalog.service.js';
import type { Table } from '../../src/services/catalog/table.js';
import { asSqlClient } from '../../src/batch/sql/as-sql-client.js';
import type { DatabaseService } from '../../src/services/database/database.service.js';
import { clientOptions } from '../support/test-databases.js';
import { openChunks } from './chunks.js';
import { rows } from './isolation-cases.js';
import { ROWS, type ChunkCase, type ExecutorCase } from './isolation-contest.js';
import type { MeasuringDatabase } from './measuring.js';

/** Measures the executor alone, all cases in turn over and over; a round before those is for warming up. */
export async function timeExecutor(
  database: MeasuringDatabase,
  casesOf: (table: Table) => ExecutorCase[],
  repetitions: number,
): Promise<ExecutorCase[]> {
  const client = new pg.Client({ ...clientOptions(database.connection), pipeline: true, options: '-c jit=off' });
  await client.connect();
  try {
    const catalog = new CatalogService(asSqlClient(client) as DatabaseService, database.settings());
    const cases = casesOf(await catalog.table('target'));
    for (let repetition = 0; repetition <= repetitions; repetition += 1) {
      for (const each of cases) {
        const ms = await execute(client, each);
        if (repetition > 0) each.ms.push(ms);
        // Rows that were taken back would make the next ones look for longer.
        await client.query('vacuum target');
      }
    }
    return cases;
  } finally {
    await client.end();
  }
}

async function execute(client: pg.Client, each: ExecutorCase): Promise<number> {
  await client.query('begin');
  const start = performance.now();
  each.figures = await each.execute(asSqlClient(client), each.plan);
  const ms = performance.now() - start;
  await client.query('rollback');
  const { failed } = each.figures;
  if (failed !== each.bad) throw new Error(`${each.name}: ${failed} failed instead of ${each.bad}`);
  return ms;
}

/** The same for whole chunks, as a worker executes them. */
export async function timeChunks(
  database: MeasuringDatabase,
  cases: ChunkCase[],
  repetitions: number,
): Promise<ChunkCase[]> {
  const chunks = await openChunks(database);
  try {
    for (let repetition = 0; repetition <= repetitions; repetition += 1) {
      for (const { fault, bad, ms } of cases) {
        const took = await chunks.execute(rows(ROWS, bad, fault), bad);
        if (repetition > 0) ms.push(took);
      }
    }
    return cases;
  } finally {
    await chunks.close();
  }
}
