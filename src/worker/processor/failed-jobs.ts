import type { Logger } from 'pino';
import type { Databases } from '../databases/databases.js';
import { insertFailed } from '../once/once.sql.js';
import type { Once } from '../once/once.js';
import type { WorkerJob } from './worker-job.js';

/**
 * Records jobs whose attempts are over in `batch_worker.failed_jobs`, where people look. The queue keeps them too: a record
 * that could not be written is logged, and loses nothing else.
 */
export class FailedJobs {
  constructor(
    private readonly databases: Databases,
    private readonly once: Once,
    private readonly settings: { name: string; recordInstance: string | undefined },
    private readonly log: Logger,
  ) {}

  async record(job: WorkerJob, error: Error): Promise<void> {
    const { recordInstance, name } = this.settings;
    if (recordInstance === undefined) return;
    try {
      await this.once.ensureTables(recordInstance);
      const { text, values } = insertFailed(
        {
          ...{ queue: job.queue, jobId: job.id, type: job.type, targetId: job.targetId, attempts: job.attempt },
          data: JSON.stringify(job.data ?? null),
          reason: storable(error.message),
          code: 'code' in error && typeof error.code === 'string' ? storable(error.code) : undefined,
        },
        name,
      );
      await this.databases.get(recordInstance).query(text, values);
    } catch (err) {
      this.log.error(
        { err, queue: job.queue, jobId: job.id },
        'A failed job could not be recorded; the queue keeps it',
      );
    }
  }
}

/** PostgreSQL stores no NUL in a text. */
const storable = (text: string): string => text.replaceAll('\0', '\uFFFD');
