import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Item } from '../rows/items.js';
import { badIds, writeCsv } from './csv-files.js';

/** A CSV file of the same rows as all others, but for the bad ones. */
export interface CsvFile {
  path: string;
  rows: number;
  /** Ids of the rows that the table refuses. */
  bad: readonly number[];
}

export interface ImportFiles {
  clean: CsvFile;
  oneInThousand: CsvFile;
  oneInHundred: CsvFile;
  remove(): Promise<void>;
}

/** Writes the files to a new folder. */
export async function writeImportFiles(rows: readonly Item[]): Promise<ImportFiles> {
  const folder = await mkdtemp(join(tmpdir(), 'bench-engine-'));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  const write = async (name: string, bad: readonly number[]): Promise<CsvFile> => {
    const path = join(folder, `${name}.csv`);
    await writeCsv(path, rows, bad);
    return { path, rows: rows.length, bad };
  };
  try {
    return {
      clean: await write('clean', []),
      oneInThousand: await write('one-in-thousand', badIds(rows.length, 1000)),
      oneInHundred: await write('one-in-hundred', badIds(rows.length, 100)),
      remove,
    };
  } catch (error) {
    await remove();
    throw error;
  }
}
