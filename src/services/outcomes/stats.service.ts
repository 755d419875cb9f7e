import { Injectable } from '@nestjs/common';
import type { IStats } from '../../interfaces/stats.js';
import { DatabaseService } from '../database/database.service.js';
import type { SqlClient } from '../../interfaces/sql.js';
import { selectStats } from './outcomes.sql.js';

/** More operations of one kind are not counted. The count takes some milliseconds. */
const COUNTED = 50_000;

interface StatsRow extends Omit<IStats, 'lastMinute'> {
  chunks: number;
  completed: number;
  failedRecently: number;
  statements: number;
}

@Injectable()
export class StatsService {
  private latest: Promise<IStats> | undefined;

  constructor(private readonly database: DatabaseService) {}

  stats(): Promise<IStats> {
    return this.read(this.database.requests);
  }

  /**
   * For metrics. All scrapes share one query at a time. It does not use the connections for requests, because metrics
   * are needed most when these are used up.
   */
  sharedStats(): Promise<IStats> {
    this.latest ??= this.read(this.database).finally(() => (this.latest = undefined));
    return this.latest;
  }

  private async read(database: SqlClient): Promise<IStats> {
    const { rows } = await database.query<StatsRow>(selectStats(COUNTED));
    const { chunks, completed, failedRecently, statements, ...stats } = rows[0]!;
    return { ...stats, lastMinute: { chunks, completed, failed: failedRecently, statements } };
  }
}
