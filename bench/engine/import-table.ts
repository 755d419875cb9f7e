import type pg from 'pg';
import { assertChecksum, checksumOf } from '../rows/checksum.js';
import { createItemTable, inChunks, type Item } from '../rows/items.js';
import { REFUSED_B } from './csv-files.js';

/** The table that all imports fill. It refuses bad rows. */
export interface ImportTable {
  /** Empties it, and lets the server do its own work first. */
  prepare(): Promise<void>;
  /** @throws when it does not hold exactly the rows, without the bad ones */
  verify(bad: readonly number[]): Promise<void>;
}

/** Makes table `item`, and beside it a table of the rows that are expected, written by another way than any import. */
export async function makeImportTable(admin: pg.Pool, rows: readonly Item[]): Promise<ImportTable> {
  await admin.query(createItemTable());
  await admin.query(`alter table item add constraint b_is_possible check (b > ${REFUSED_B})`);
  await admin.query('create table expected (like item)');
  for (const some of inChunks(rows, 5000)) {
    const values = [JSON.stringify(some)];
    await admin.query('insert into expected select * from json_populate_recordset(null::item, $1)', values);
  }
  return {
    async prepare() {
      await admin.query('truncate item');
      await admin.query('vacuum');
      await admin.query('analyze item');
      await admin.query('checkpoint');
    },
    async verify(bad) {
      const expected = `(select * from expected where id <> all ('{${bad.join(',')}}'::int[]))`;
      assertChecksum('item', await checksumOf(admin, 'item'), await checksumOf(admin, expected));
    },
  };
}
