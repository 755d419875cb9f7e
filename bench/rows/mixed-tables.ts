import type pg from 'pg';
import { assertChecksum, checksumOf, type Checksum } from './checksum.js';
import { createItemTable, inChunks } from './items.js';
import { mixedLoad, MIXED_TABLES, type MixedOperation } from './mixed-operations.js';
import { applyOne } from './mixed-sets.sql.js';

/** The tables that the contestants of race `mixed` write to, and what is to be done with them. */
export interface MixedTables {
  operations: readonly MixedOperation[];
  /** Puts what they hold before into them. */
  restore(): Promise<void>;
  /** @throws when they do not hold what executing the operations one by one, in their order, makes of them */
  verify(): Promise<void>;
}

export async function makeMixedTables(admin: pg.Pool, count: number): Promise<MixedTables> {
  const { operations, before } = mixedLoad(count);
  // Out of the way of operations, and of the catalog of what they may write to.
  await admin.query('create schema before');
  for (const table of MIXED_TABLES) {
    await admin.query(createItemTable(table));
    await admin.query(createItemTable(`before.${table}`));
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
  await restore();
  await executeOneByOne(admin, operations);
  const expected = await checksums(admin);
  return {
    operations,
    restore,
    async verify() {
      for (const [table, checksum] of await checksums(admin)) assertChecksum(table, checksum, expected.get(table)!);
    },
  };
}

/** In their order. Many statements travel together, which PostgreSQL executes one after the other. */
async function executeOneByOne(admin: pg.Pool, operations: readonly MixedOperation[]): Promise<void> {
  for (const some of inChunks(operations, 1000)) await admin.query(some.map(applyOne).join(';\n'));
}

async function checksums(admin: pg.Pool): Promise<Map<string, Checksum>> {
  const sums = new Map<string, Checksum>();
  for (const table of MIXED_TABLES) sums.set(table, await checksumOf(admin, table));
  return sums;
}
