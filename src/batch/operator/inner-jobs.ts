import { Logger } from '@nestjs/common';
import { JobExecutionAlreadyRunningError, JobInstanceAlreadyCompleteError } from '../model/batch-error.js';
import type { JobExecution } from '../model/job-execution.js';
import type { JobParametersInput } from '../model/job-parameters.js';
import { stopByRequest, type RunningExecution } from './running-execution.js';

/** What the operator does for the jobs that steps run. */
export interface InnerJobsOptions {
  /** In this process, by id. */
  running: ReadonlyMap<string, RunningExecution>;
  start(name: string, parameters: JobParametersInput): Promise<JobExecution>;
  /** Resolves when the execution has ended, or `leaves` answers true. */
  awaitEndUnless(id: string, leaves: () => boolean): Promise<JobExecution>;
  requestStop(id: string): Promise<unknown>;
  /** True when the process ends. */
  isShutDown(): boolean;
}

interface Outer {
  id: string;
  run: RunningExecution;
}

/** Runs jobs as parts of others. It promises that both survive the end of their process, and are stopped together. */
export class InnerJobs {
  private readonly logger = new Logger('InnerJobs');

  constructor(private readonly options: InnerJobsOptions) {}

  /**
   * Runs a job as a part of another. When the other is to stop, so is this one. An execution that runs already is waited for: after an
   * interruption both jobs are restarted, and the inner one may be the first. An inner execution that is interrupted alone is restarted.
   *
   * @param outer the execution that the job is a part of
   * @returns the execution, which runs on elsewhere when the process of the outer one ends
   */
  async run(outer: Outer, name: string, parameters: JobParametersInput): Promise<JobExecution> {
    const { waitsFor, abort } = outer.run;
    for (let isFirst = true; ; isFirst = false) {
      const id = await this.startOrFind(outer.id, isFirst, name, parameters);
      waitsFor.add(id);
      const execution = await this.awaitWithin(outer.run, id).finally(() => waitsFor.delete(id));
      if (!execution.interrupted || abort.signal.aborted) return execution;
    }
  }

  private async startOrFind(
    outerId: string,
    isFirst: boolean,
    name: string,
    parameters: JobParametersInput,
  ): Promise<string> {
    try {
      return (await this.options.start(name, parameters)).id;
    } catch (error) {
      if (error instanceof JobExecutionAlreadyRunningError) {
        const { executionId: id } = error;
        // A job that waits for itself would wait for ever.
        if (id !== undefined && !this.isWaitingFor(id, outerId)) return id;
      }
      // Another process has restarted it after its interruption.
      const isOver = error instanceof JobInstanceAlreadyCompleteError && error.status === 'COMPLETED';
      if (isOver && !isFirst) return error.executionId;
      throw error;
    }
  }

  private isWaitingFor(id: string, other: string): boolean {
    return (
      id === other || [...(this.options.running.get(id)?.waitsFor ?? [])].some((each) => this.isWaitingFor(each, other))
    );
  }

  private async awaitWithin(outer: RunningExecution, id: string): Promise<JobExecution> {
    const { signal } = outer.abort;
    // At the end of the process `close` stops those that run in it, and the next start of the outer job finds the others.
    const stop = (): void => {
      if (outer.stopRequested) this.stopWithin(id);
    };
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    const { options } = this;
    const leaves = (): boolean => signal.aborted && (options.isShutDown() || !outer.stopRequested);
    return options.awaitEndUnless(id, leaves).finally(() => signal.removeEventListener('abort', stop));
  }

  /** The request is stored too: the execution may run in another process, or this process may die before it has stopped. */
  private stopWithin(id: string): void {
    const run = this.options.running.get(id);
    if (run !== undefined) stopByRequest(run);
    this.options
      .requestStop(id)
      .catch((err: unknown) => this.logger.warn({ message: 'A stop could not be requested', execution: id, err }));
  }
}
