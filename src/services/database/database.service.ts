import { Injectable, Logger } from '@nestjs/common';
import type { ClientConfig, Pool } from 'pg';
import { DataSource } from 'typeorm';
import { PoolDatabase } from '../../batch/sql/pool-database.js';
import { Listener } from './listener.js';
import { Leadership, type AdvisoryLock } from './leadership.js';
import { RequestConnections } from './request-connections.js';

/** Gives out connections and transactions of TypeORM's pool. It keeps apart what requests of callers may take of it. */
@Injectable()
export class DatabaseService extends PoolDatabase {
  private readonly logger = new Logger(DatabaseService.name);
  /** For requests of callers. Their number has no limit. */
  readonly requests: RequestConnections;

  constructor(dataSource: DataSource) {
    super((dataSource.driver as unknown as { master: Pool }).master);
    const { max, lock_timeout: lockTimeoutMs } = this.pool.options as { max: number; lock_timeout: number };
    this.requests = new RequestConnections(this, { poolSize: max, lockTimeoutMs });
    // An idle connection that breaks is replaced at the next use. Without a listener its error would end the process.
    this.pool.on('error', (error) => this.logger.warn(`An idle database connection broke: ${error.message}`));
  }

  /** Calls `heard` when a transaction that has notified this channel commits, and sometimes without need. */
  listen(channel: string, heard: () => void): Listener {
    return new Listener(this.connectionConfig(), channel, heard);
  }

  /** For a task that one process of all does. */
  leadership(lock: AdvisoryLock): Leadership {
    return new Leadership(this.connectionConfig(), lock, this);
  }

  /** The pool hides its password: a copy of its options has none. */
  private connectionConfig(): ClientConfig {
    const { password } = this.pool.options;
    return { ...this.pool.options, password };
  }
}
