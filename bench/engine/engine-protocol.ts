import type { DatabaseConnection } from '../../test/support/test-databases.js';

/** What a process with the engine is told to do. */
export interface ImportOrder {
  database: DatabaseConnection;
  /** The path of the CSV file. */
  file: string;
  writer: Writer;
}

/** `insert`: `SqlItemWriter`. `copy`: `SqlCopyItemWriter`. */
export type Writer = 'insert' | 'copy';

/** What the engine says of the import. */
export interface ImportResult {
  status: string;
  seconds: number;
  read: number;
  written: number;
  skipped: number;
}

/** From the process: it has loaded its modules. The parent answers with an `ImportOrder`, and gets an `ImportResult`. */
export const READY = 'ready';
