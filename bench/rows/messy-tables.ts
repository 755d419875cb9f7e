import type pg from 'pg';
import { assertChecksum, checksumOf } from './checksum.js';
import { inChunks } from './items.js';
import { applyOneMessy, createMessyTable, messyLoad, type MessyOperation } from './messy-operations.js';
import { MIXED_TABLES } from './mixed-operations.js';

/** The tables of the messy races, and what is to be done with them. */
export interface MessyTables {
  operations: readonly MessyOperation[];
  /** How many of them PostgreSQL refuses. */
  refused: number;
  /** Puts what they hold before into them. */
  restore(): Promise<void>;
  /** @throws when they do not hold what executing the good operations one by one makes of them */
  verify(): Promise<void>;
}

export async function makeMessyTables(admin: pg.Pool, count: number, bad: number): Promise<MessyTables> {
  const { operations, before } = messyLoad(count, bad);
  await admin.query('create schema before');
  for (const [index, table] of MIXED_TABLES.entries()) {
    await admin.query(createMessyTable(table, MIXED_TABLES[index - 1]));
    await admin.query(`create index on ${table} (parent_id)`);
    await admin.query(`create table before.${table} (like ${table})`);
    for (const rows of inChunks(before.get(table)!, 5000)) {
      await admin.query(
        `insert into before.${table} select * from json_populate_recordset(null::before.${table}, $1)`,
        [JSON.stringify(rows)],
      );
    }
  }
  const restore = async (): Promise<void> => {
    await admin.query(`truncate ${MIXED_TABLES.join(', ')}`);
    for (const table of MIXED_TABLES) await admin.query(`insert into ${table} table before.${table}`);
  };
  const checksums = () => Promise.all(MIXED_TABLES.map((table) => checksumOf(admin, table)));
  await restore();
  const client = await admin.connect();
  await client.query('begin');
  for (const operation of operations) if (operation.fault === undefined) await client.query(applyOneMessy(operation));
  await client.query('commit');
  client.release();
  const expected = await checksums();
  return {
    operations,
    refused: operations.filter(({ fault }) => fault !== undefined).length,
    restore,
    async verify() {
      for (const [index, actual] of (await checksums()).entries()) {
        assertChecksum(MIXED_TABLES[index]!, actual, expected[index]!);
      }
    },
  };
}
