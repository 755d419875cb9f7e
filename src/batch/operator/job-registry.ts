import type { JobDefinition } from '../job/job-definition.js';
import { BatchError, NoSuchJobError } from '../model/batch-error.js';

/** The jobs that this process can run, by name. */
export class JobRegistry<Tx> {
  private readonly jobs = new Map<string, JobDefinition<Tx>>();

  /** @throws BatchError DUPLICATE_JOB */
  register(job: JobDefinition<Tx>): void {
    if (this.jobs.has(job.name)) throw new BatchError('DUPLICATE_JOB', `Two jobs have the name "${job.name}"`);
    this.jobs.set(job.name, job);
  }

  /** @throws NoSuchJobError */
  get(name: string): JobDefinition<Tx> {
    const job = this.jobs.get(name);
    if (job === undefined) throw new NoSuchJobError(name, this.names());
    return job;
  }

  /** In alphabetical order. */
  names(): string[] {
    return [...this.jobs.keys()].sort();
  }
}
