import { Injectable } from '@nestjs/common';
import type { IStats } from '../../interfaces/stats.js';
import { DatabaseService } from '../database/database.service.js';
import { selectStats } from './outcomes.sql.js';

interface StatsRow extends Omit<IStats, 'lastMinute'> {
  chunks: number;
  completed: number;
  failedRecently: number;
  statements: number;
}

/** The state of the queue, as one query sees it. */
@Injectable()
export class StatsService {
  constructor(private readonly database: DatabaseService) {}

  async stats(): Promise<IStats> {
    const { rows } = await this.database.query<StatsRow>(selectStats());
    const { chunks, completed, failedRecently, statements, ...stats } = rows[0]!;
    return { ...stats, lastMinute: { chunks, completed, failed: failedRecently, statements } };
  }
}
