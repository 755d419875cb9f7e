import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { from as copyFrom } from 'pg-copy-streams';
import { SET_SIZE } from '../controls/direct.js';
import type { Stage } from '../contest/contest.js';
import { insertItems } from '../rows/insert-items.sql.js';
import { inChunks, type Item } from '../rows/items.js';
import { openClient } from '../stage/connections.js';
import type { Writer } from './engine-protocol.js';
import type { CsvFile } from './import-files.js';
import { runEngine } from './start-engine.js';

/** What one import took. */
export interface Imported {
  seconds: number;
  /** Of the process that runs the engine. */
  rssMb?: number;
}

/** The limit of single statements: rows that are in memory already, set by set, each a transaction. */
export async function importDirectly({ database }: Stage, rows: readonly Item[]): Promise<Imported> {
  const client = await openClient(database);
  try {
    return await timed(async () => {
      for (const some of inChunks(rows, SET_SIZE)) await client.query(insertItems(some));
    });
  } finally {
    await client.end();
  }
}

/** The limit of all: the file as it is, in one statement and one transaction. */
export async function importByCopy({ database }: Stage, { path }: CsvFile): Promise<Imported> {
  const client = await openClient(database);
  try {
    return await timed(() =>
      pipeline(
        createReadStream(path),
        client.query(copyFrom('copy item (id, a, b, c, d, e) from stdin with (format csv, header)')),
      ),
    );
  } finally {
    await client.end();
  }
}

/** @throws when the job did not complete, or has not counted as many rows as the file has */
export async function importByEngine(
  { database }: Stage,
  { path, rows, bad }: CsvFile,
  writer: Writer = 'insert',
): Promise<Imported> {
  const { status, seconds, rssMb, read, written, skipped } = await runEngine({ database, file: path, writer });
  const expected = `COMPLETED, ${rows} read, ${rows - bad.length} written, ${bad.length} skipped`;
  const actual = `${status}, ${read} read, ${written} written, ${skipped} skipped`;
  if (actual !== expected) throw new Error(`The engine says: ${actual}. Right is: ${expected}`);
  return { seconds, rssMb };
}

async function timed(work: () => Promise<void>): Promise<Imported> {
  const startedAt = performance.now();
  await work();
  return { seconds: (performance.now() - startedAt) / 1000 };
}
