import { closeSync, openSync, writeSync } from 'node:fs';
import type { Pool, QueryResultRow } from 'pg';
import type { TransactionManager } from '../../src/batch/chunk/transaction-manager.js';
import type { SqlClient, SqlDatabase, SqlResult, SqlStatement } from '../../src/interfaces/sql.js';
import { withBatchSchema } from '../../src/batch/sql/sql-transaction-manager.js';
import { asSqlClient, asSqlResult } from '../../src/batch/sql/as-sql-client.js';
import { PHASES, type KillPoint, type Phase } from './kill-point.js';

/** Notes the phase of this process in a file, which outlives the process, and ends the process at the kill point. */
class Watch {
  private phase: Phase = 'idle';
  private seen = 0;
  private readonly file: number;

  constructor(
    path: string,
    private readonly point: KillPoint | undefined,
  ) {
    this.file = openSync(path, 'w');
    this.enter('idle');
  }

  enter(phase: Phase): void {
    this.phase = phase;
    // One byte at the same place. It survives SIGKILL, since the kernel has it.
    writeSync(this.file, String(PHASES.indexOf(phase)), 0);
  }

  async statement<T>(send: () => Promise<T>): Promise<T> {
    const { point } = this;
    if (point === undefined || 'delayMs' in point || this.phase === 'idle') return send();
    if (point.phase !== 'any' && point.phase !== this.phase) return send();
    this.seen += 1;
    if (this.seen !== point.statement) return send();
    if (point.moment === 'before') kill();
    const answer = send();
    // The socket takes the statement in this turn of the event loop, or in the next one.
    if (point.moment === 'sent') setImmediate(kill);
    return answer.finally(kill);
  }

  close(): void {
    closeSync(this.file);
  }
}

function kill(): void {
  process.kill(process.pid, 'SIGKILL');
}

/** The database of a job's process, which is killed at a chosen statement. */
export class WatchedDatabase implements SqlDatabase, TransactionManager<SqlClient> {
  private readonly watch: Watch;
  private inSavepoint = false;
  /** Whether an attempt to write has failed in the transaction of this chunk. */
  private isolates = false;

  constructor(
    private readonly pool: Pool,
    phaseFile: string,
    point: KillPoint | undefined,
    /** The engine's schema, where bad items are isolated inside the database. */
    private readonly schema: string | undefined,
  ) {
    this.watch = new Watch(phaseFile, point);
  }

  /** From now on statements count. */
  executionBegins(): void {
    this.watch.enter('between');
  }

  query<Row>(statement: SqlStatement): Promise<SqlResult<Row>> {
    return this.watch.statement(async () => asSqlResult<Row>(await this.pool.query<QueryResultRow>(statement)));
  }

  async transaction<T>(work: (tx: SqlClient) => Promise<T>): Promise<T> {
    const connection = await this.pool.connect();
    const client = asSqlClient(connection);
    const tx: SqlClient = {
      query: <Row>(statement: SqlStatement) => this.watch.statement(() => client.query<Row>(statement)),
    };
    try {
      await tx.query({ text: 'begin' });
      const result = await work(tx);
      await tx.query({ text: 'commit' });
      return result;
    } catch (error) {
      await client.query({ text: 'rollback' });
      throw error;
    } finally {
      connection.release();
    }
  }

  async savepoint<T>(tx: SqlClient, work: () => Promise<T>): Promise<T> {
    this.inSavepoint = true;
    if (this.isolates) this.watch.enter('isolation');
    await tx.query({ text: 'savepoint part' });
    try {
      const result = await work();
      await tx.query({ text: 'release savepoint part' });
      return result;
    } catch (error) {
      this.isolates = true;
      this.watch.enter('isolation');
      await tx.query({ text: 'rollback to savepoint part' });
      await tx.query({ text: 'release savepoint part' });
      throw error;
    } finally {
      this.inSavepoint = false;
    }
  }

  /** Of the step, not of the repository: only its transactions are chunks. */
  get forChunks(): TransactionManager<SqlClient> {
    return {
      transaction: async (work) => {
        this.watch.enter('chunk');
        this.isolates = false;
        try {
          return await this.transaction(async (tx) => {
            const chunk = this.ofChunk(tx);
            const result = await work(this.schema === undefined ? chunk : withBatchSchema(chunk, this.schema));
            this.watch.enter('commit');
            return result;
          });
        } finally {
          this.watch.enter('between');
        }
      },
      savepoint: (tx, work) => this.savepoint(tx, work),
    };
  }

  /** What follows the last attempt to write is no isolation any more. */
  private ofChunk(tx: SqlClient): SqlClient {
    return {
      query: <Row>(statement: SqlStatement) => {
        if (statement.text.includes('execute_items')) this.watch.enter('isolation');
        else if (!this.inSavepoint) this.watch.enter('chunk');
        return tx.query<Row>(statement);
      },
    };
  }

  async close(): Promise<void> {
    await this.pool.end();
    this.watch.close();
  }
}
