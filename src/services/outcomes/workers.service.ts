import { Injectable } from '@nestjs/common';
import type { IWorker } from '../../interfaces/worker.js';
import { DatabaseService } from '../database/database.service.js';
import { selectWorkers, type WorkerRow } from '../queue/workers.sql.js';

/** Shows the processes that execute operations. */
@Injectable()
export class WorkersService {
  constructor(private readonly database: DatabaseService) {}

  /** The oldest first. A worker that was lost is in the list until retention removes it. */
  async list(): Promise<IWorker[]> {
    const { rows } = await this.database.requests.query<WorkerRow>(selectWorkers());
    return rows.map(({ name, startedAt, seenAt, alive, chunks, operations, lastChunkAt }) => ({
      name,
      startedAt: startedAt.toISOString(),
      seenAt: seenAt.toISOString(),
      alive,
      lastMinute: { chunks, operations },
      ...(lastChunkAt !== null && { lastChunkAt: lastChunkAt.toISOString() }),
    }));
  }
}
