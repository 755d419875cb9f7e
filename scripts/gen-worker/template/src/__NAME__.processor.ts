import { JobHandler, JobProcessor, type WorkerJob } from 'batch-service/worker';
import { __CAMEL__Schema, type __CLASS__Data } from './__NAME__.schema.js';
import { insertResult } from './__NAME__.tables.js';

/** What the queue keeps as the result of a job. */
export interface __CLASS__Result {
  /** Of the row that was written. */
  id: number;
}

/** Works the jobs of the queue `__NAME__`. */
@JobHandler('__NAME__')
export class __CLASS__Processor extends JobProcessor<__CLASS__Data, __CLASS__Result> {
  override readonly schema = __CAMEL__Schema;

  /**
   * Called for each attempt. A process may die at any moment, so a job can come again that was done already. What is written through
   * `tx` takes effect once all the same: it commits together with the record that the job is done.
   */
  async work(job: WorkerJob<__CLASS__Data>): Promise<__CLASS__Result> {
    return this.runOnce(job, (tx) => insertResult(tx, job.targetId, job.data.text));
  }
}
