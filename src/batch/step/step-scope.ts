import { BatchError } from '../model/batch-error.js';
import type { JobExecution } from '../model/job-execution.js';
import type { JobParameterValue } from '../model/job-parameters.js';
import type { StepExecution } from '../model/step-execution.js';

/** What a step execution belongs to, for components that are made when it begins, and for those that ask while it runs. */
export class StepScope {
  constructor(
    readonly job: JobExecution,
    readonly step: StepExecution,
  ) {}

  /** @throws BatchError INVALID_JOB_PARAMETERS when the parameter was not given */
  param<T extends JobParameterValue = string>(name: string): T {
    const value = this.job.parameters.get(name);
    if (value !== undefined) return value as T;
    throw new BatchError(
      'INVALID_JOB_PARAMETERS',
      `Step "${this.step.stepName}" needs the parameter "${name}". Declare it in the job as required, or give it a default.`,
    );
  }
}
