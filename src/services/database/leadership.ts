import type { Socket } from 'node:net';
import type { ClientConfig } from 'pg';
import { asSqlClient } from '../../batch/sql/as-sql-client.js';
import type { SqlClient, SqlDatabase, SqlStatement } from '../../interfaces/sql.js';
import { ServiceClient } from './service-client.js';

/** The two numbers of an advisory lock. */
export type AdvisoryLock = readonly [class_: number, id: number];

const ANSWER_TIMEOUT_MS = 10_000;

/**
 * Makes one process of a database the leader of a task: it holds a session's advisory lock, on a connection of its own. Processes that do
 * not lead have no connection for it. It promises that there is never a second leader that can write: a leader that loses the connection
 * loses the lock, and `lead` is the only way to write as leader. Another process leads as soon as PostgreSQL has noticed that the
 * connection is gone: at once after a crash of the process, within half a minute after a crash of its machine.
 */
export class Leadership {
  private client: ServiceClient | undefined;

  constructor(
    private readonly config: ClientConfig,
    private readonly lock: AdvisoryLock,
    private readonly pool: SqlDatabase,
  ) {}

  get isLeader(): boolean {
    return this.client !== undefined;
  }

  /**
   * Runs `work` if this process leads or can become the leader. `work` writes with the connection that holds the lock, so it fails when
   * the lock is lost. After any error the process leads no more.
   *
   * @returns false when another process leads
   */
  async lead(work: (leader: SqlDatabase) => Promise<void>): Promise<boolean> {
    this.client ??= (await this.isFree()) ? await this.acquire() : undefined;
    const client = this.client;
    if (client === undefined) return false;
    try {
      await work(toDatabase(client));
      return true;
    } catch (error) {
      this.resign();
      throw error;
    }
  }

  /** Lets another process lead. */
  resign(): void {
    abandon(this.client);
    this.client = undefined;
  }

  /** Takes the lock for the time of the statement. So most processes need no connection to see that another one leads. */
  private async isFree(): Promise<boolean> {
    const { rows } = await this.pool.query<{ free: boolean }>({
      text: 'select pg_try_advisory_xact_lock($1::int, $2::int) as free',
      values: [...this.lock],
    });
    return rows[0]!.free;
  }

  /** Undefined when another process was quicker. */
  private async acquire(): Promise<ServiceClient | undefined> {
    const client = new ServiceClient({ ...this.config, query_timeout: ANSWER_TIMEOUT_MS });
    // The statements report every failure. A connection that ends between them is noticed by the next one.
    client.on('error', () => undefined);
    client.once('end', () => {
      if (this.client === client) this.client = undefined;
    });
    await client.connect();
    try {
      const { rows } = await client.query<{ held: boolean }>(takeLock(this.lock));
      if (rows[0]!.held) return client;
    } catch (error) {
      abandon(client);
      throw error;
    }
    abandon(client);
    return undefined;
  }
}

/** If the machine of the leader disappears, the server notices it only by its own keep-alives. */
function takeLock(lock: AdvisoryLock): SqlStatement {
  return {
    text: `
      select pg_try_advisory_lock($1::int, $2::int) as held, set_config('tcp_keepalives_idle', '10', false),
        set_config('tcp_keepalives_interval', '5', false), set_config('tcp_keepalives_count', '3', false)`,
    values: [...lock],
  };
}

function toDatabase(client: ServiceClient): SqlDatabase {
  const sql = asSqlClient(client);
  const run = (text: string): Promise<unknown> => sql.query({ text } satisfies SqlStatement);
  return {
    query: (statement) => sql.query(statement),
    // After an error the connection is cut, which rolls back.
    transaction: async <T>(work: (tx: SqlClient) => Promise<T>): Promise<T> => {
      await run('begin');
      const result = await work(sql);
      await run('commit');
      return result;
    },
  };
}

/** Cuts the connection: on a dead one, an orderly end would wait for an answer. The server ends the session at once. */
function abandon(client: ServiceClient | undefined): void {
  (client as unknown as { connection?: { stream: Socket } } | undefined)?.connection?.stream.destroy();
}
