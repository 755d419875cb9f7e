import type { EntityManager } from 'typeorm';
import type { Databases } from '../databases/databases.js';
import { DEFAULT_INSTANCE } from '../databases/inject-database.js';
import { jobIdOf, type JobKey } from '../queue/job-key.js';
import { insertDone, selectResult, updateResult } from './once.sql.js';
import { ensureWorkerTables } from './worker-tables.js';

export interface OnceOptions {
  /** The instance of DATABASE_CONFIG that is written to; default `default`. */
  instance?: string;
}

/**
 * Runs work once for a key. The effect of the work and the record of the key commit in one transaction of the database, so
 * after a crash either both are there or neither. It promises nothing for what the work does outside of this transaction.
 */
export class Once {
  private readonly tables = new Map<string, Promise<void>>();

  constructor(
    private readonly databases: Databases,
    /** The name that is written into the record. */
    private readonly worker: string,
  ) {}

  /**
   * Runs `work` in a transaction, unless its key has a record. A second run of the same key at the same time waits for the
   * first one: when the first commits, the second returns its result; when it rolls back, the second runs.
   *
   * @param work writes through `tx`. What it returns must be JSON: a later run gets it as it was stored.
   * @returns what `work` returned, or the stored result
   * @throws what `work` throws, then nothing is stored; WorkerError JOB_KEY_INVALID, UNKNOWN_INSTANCE
   */
  async run<Result>(
    key: JobKey,
    work: (tx: EntityManager) => Promise<Result>,
    { instance = DEFAULT_INSTANCE }: OnceOptions = {},
  ): Promise<Result> {
    jobIdOf(key);
    await this.ensureTables(instance);
    // With a higher isolation a second run would fail where it should wait.
    return this.databases.get(instance).transaction('READ COMMITTED', async (tx) => {
      const insert = insertDone(key, this.worker);
      if ((await tx.query<unknown[]>(insert.text, insert.values)).length === 0) {
        const select = selectResult(key);
        const [record] = await tx.query<{ result: Result }[]>(select.text, select.values);
        return record?.result as Result;
      }
      const result = await work(tx);
      const update = updateResult(key, JSON.stringify(result ?? null));
      await tx.query(update.text, update.values);
      return result;
    });
  }

  /** Makes the tables, once for each instance and process. */
  ensureTables(instance: string): Promise<void> {
    const made = this.tables.get(instance) ?? ensureWorkerTables(this.databases.get(instance), instance);
    this.tables.set(instance, made);
    // A fault may pass: the next call tries again.
    made.catch(() => this.tables.delete(instance));
    return made;
  }
}
