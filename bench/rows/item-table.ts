import type pg from 'pg';
import { assertChecksum, checksumOf, type Checksum } from './checksum.js';
import { createItemTable, inChunks, items, type Item } from './items.js';

/** The table that the contestants of a race write to, with the rows that are to be in it. */
export interface ItemTable {
  rows: readonly Item[];
  empty(): Promise<void>;
  /** @throws when it does not hold exactly the rows */
  verify(): Promise<void>;
}

/** Makes table `item`, and takes the checksum of its rows from having them in it once. */
export async function makeItemTable(admin: pg.Pool, operations: number): Promise<ItemTable> {
  const rows = items(operations);
  await admin.query(createItemTable());
  const expected = await checksumOfRows(admin, rows);
  return {
    rows,
    empty: async () => void (await admin.query('truncate item')),
    verify: async () => assertChecksum('item', await checksumOf(admin, 'item'), expected),
  };
}

/** Written in another way than by any contestant: PostgreSQL reads the rows from JSON. */
async function checksumOfRows(admin: pg.Pool, rows: readonly Item[]): Promise<Checksum> {
  for (const some of inChunks(rows, 5000)) {
    await admin.query('insert into item select * from json_populate_recordset(null::item, $1)', [JSON.stringify(some)]);
  }
  const checksum = await checksumOf(admin, 'item');
  await admin.query('truncate item');
  return checksum;
}
