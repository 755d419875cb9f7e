import { Places } from './places.js';
import { sendAlong } from './send-along.js';
import type { SqlClient, SqlDatabase, SqlResult, SqlStatement } from './sql.js';

/** Connections that requests leave to intake, chunks, notifications and probes; of a small pool half. */
const RESERVE = 4;
/** As long as the pool itself waits for a connection. */
const CONNECTION_WAIT_MS = 5000;
/** A request that waits longer is better told to come back. */
const LOCK_TIMEOUT_MS = 2000;
/** Transactions that may be expected to wait for a lock, at a time. */
const LOCK_WAITS = 2;
const LOCK_WAIT_PLACE_MS = 1000;

export interface RequestConnectionsOptions {
  poolSize: number;
  /** `lock_timeout` of the connections, in milliseconds. */
  lockTimeoutMs: number;
}

/**
 * The pool as requests of callers use it. It promises that requests, however many there are, leave some connections to everybody
 * else; that their transactions wait two seconds at most for a lock; and that no more than two of them wait for locks that
 * others may hold for long, where these use `lockingTransaction`.
 */
export class RequestConnections implements SqlDatabase {
  private readonly places: Places;
  private readonly lockWaits: Places;
  private readonly boundLocks: SqlStatement;

  constructor(
    private readonly database: SqlDatabase,
    { poolSize, lockTimeoutMs }: RequestConnectionsOptions,
  ) {
    const connections = Math.max(1, poolSize - RESERVE, Math.floor(poolSize / 2));
    this.places = new Places(connections, CONNECTION_WAIT_MS);
    this.lockWaits = new Places(Math.max(1, Math.min(LOCK_WAITS, connections - 1)), LOCK_WAIT_PLACE_MS);
    this.boundLocks = { text: `set local lock_timeout = ${Math.min(LOCK_TIMEOUT_MS, lockTimeoutMs)}` };
  }

  /** @throws NoPlaceError */
  query<Row>(statement: SqlStatement): Promise<SqlResult<Row>> {
    return this.places.within(() => this.database.query<Row>(statement));
  }

  /** @throws NoPlaceError */
  transaction<T>(work: (tx: SqlClient) => Promise<T>): Promise<T> {
    return this.places.within(() =>
      this.database.transaction((tx) => {
        sendAlong(tx, this.boundLocks);
        return work(tx);
      }),
    );
  }

  /** A transaction that waits for a lock which others may hold for long. @throws NoPlaceError */
  lockingTransaction<T>(work: (tx: SqlClient) => Promise<T>): Promise<T> {
    return this.lockWaits.within(() => this.transaction(work));
  }
}
