import { Places } from './places.js';
import { sendAlong } from '../../batch/sql/send-along.js';
import type { SqlClient, SqlDatabase, SqlResult, SqlStatement } from '../../interfaces/sql.js';

/** Connections that requests leave to intake, chunks, notifications and probes. In a small pool it is half of them. */
const RESERVE = 5;
/** The same time as the pool itself waits for a connection. */
const CONNECTION_WAIT_MS = 5000;
/** It is better to refuse a request that waits longer, so that its caller sends it again later. */
const LOCK_TIMEOUT_MS = 2000;
/** How many transactions that probably wait for a lock may run at a time. */
const LOCK_WAITS = 2;
const LOCK_WAIT_PLACE_MS = 1000;

export interface RequestConnectionsOptions {
  poolSize: number;
  /** `lock_timeout` of the connections, in milliseconds. */
  lockTimeoutMs: number;
}

/**
 * The pool for requests of callers. It promises three things. Requests, however many there are, leave some connections
 * to all others. Their transactions wait at most two seconds for a lock. If transactions that may wait long for a lock
 * use `lockingTransaction`, at most two of them wait at a time.
 */
export class RequestConnections implements SqlDatabase {
  private readonly places: Places;
  private readonly lockWaits: Places;
  private readonly lockTimeoutMs: number;

  constructor(
    private readonly database: SqlDatabase,
    { poolSize, lockTimeoutMs }: RequestConnectionsOptions,
  ) {
    const connections = Math.max(1, poolSize - RESERVE, Math.floor(poolSize / 2));
    this.places = new Places(connections, CONNECTION_WAIT_MS);
    this.lockWaits = new Places(Math.max(1, Math.min(LOCK_WAITS, connections - 1)), LOCK_WAIT_PLACE_MS);
    this.lockTimeoutMs = Math.min(LOCK_TIMEOUT_MS, lockTimeoutMs);
  }

  /**
   * For work that takes one connection, such as a query of a repository.
   *
   * @throws NoPlaceError
   */
  within<T>(work: () => Promise<T>): Promise<T> {
    return this.places.within(work);
  }

  /** @throws NoPlaceError */
  query<Row>(statement: SqlStatement): Promise<SqlResult<Row>> {
    return this.within(() => this.database.query<Row>(statement));
  }

  /** @throws NoPlaceError */
  transaction<T>(work: (tx: SqlClient) => Promise<T>): Promise<T> {
    return this.bounded(this.lockTimeoutMs, work);
  }

  /**
   * For a transaction that waits for a lock which others may hold for a long time.
   *
   * @param waitMs how long it may wait for a lock, if that is less than the two seconds
   * @throws NoPlaceError
   */
  lockingTransaction<T>(work: (tx: SqlClient) => Promise<T>, waitMs = Infinity): Promise<T> {
    // For PostgreSQL, 0 means for ever.
    const lockTimeoutMs = Math.max(1, Math.min(this.lockTimeoutMs, Math.ceil(waitMs)));
    return this.lockWaits.within(() => this.bounded(lockTimeoutMs, work));
  }

  private bounded<T>(lockTimeoutMs: number, work: (tx: SqlClient) => Promise<T>): Promise<T> {
    return this.within(() =>
      this.database.transaction((tx) => {
        sendAlong(tx, { text: `set local lock_timeout = ${lockTimeoutMs}` });
        return work(tx);
      }),
    );
  }
}
