import { Logger } from '@nestjs/common';
import { newOperation, openWorkerWith } from '../support/worker.js';
import type { Row } from './isolation-cases.js';
import type { MeasuringDatabase } from './measuring.js';

export interface Chunks {
  /** Takes the rows in, executes them as one chunk, and answers the milliseconds from the claim to the commit. */
  execute(rows: readonly Row[], bad: number): Promise<number>;
  close(): Promise<void>;
}

/** Inserts into `target` through queue and main job, as a worker executes them. */
export async function openChunks({ client, settings }: MeasuringDatabase): Promise<Chunks> {
  Logger.overrideLogger(false);
  const worker = await openWorkerWith(settings({ LOG_LEVEL: 'silent' }));
  return {
    async execute(rows, bad) {
      await client.query(`
        delete from target where id < 100000;
        truncate batch.operations, batch.pending, batch.outcomes, batch.chunks`);
      await client.query('vacuum target');
      await worker.queue.enqueue(
        rows.map((row) => newOperation({ type: 'insert', target: 'public.target', values: JSON.stringify(row) })),
      );
      const start = performance.now();
      await worker.job.poll(new AbortController().signal);
      const ms = performance.now() - start;
      const { rows: chunks } = await client.query<{ operations: number; failed: number }>(
        'select operations, failed from batch.chunks',
      );
      const [chunk] = chunks;
      if (chunks.length !== 1 || chunk?.operations !== rows.length || chunk.failed !== bad) {
        throw new Error(`Expected one chunk with ${bad} failures, not ${JSON.stringify(chunks)}`);
      }
      return ms;
    },
    close: () => worker.close(),
  };
}
