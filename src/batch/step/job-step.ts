import { JobInstanceAlreadyCompleteError } from '../model/batch-error.js';
import { isRunning } from '../model/batch-status.js';
import type { JobParametersInput } from '../model/job-parameters.js';
import type { Step, StepRun } from './step.js';
import type { StepListener } from './step-listener.js';
import type { StepScope } from './step-scope.js';

/** Makes the parameters of the other job from what this step belongs to. */
export type JobStepParameters = (scope: StepScope) => JobParametersInput;

export interface JobStepDefinition {
  name: string;
  /** The job to run. */
  job: string;
  /** Default: the parameters of this job. */
  parameters?: JobStepParameters | undefined;
  startLimit?: number;
  allowStartIfComplete?: boolean;
  listeners?: readonly StepListener[];
}

/** Runs another job and ends as it ends. The other job has executions of its own; a restart of the step restarts that job. */
export class JobStep<Tx> implements Step<Tx> {
  readonly name: string;
  readonly startLimit: number;
  readonly allowStartIfComplete: boolean;
  readonly listeners: readonly StepListener[];

  constructor(private readonly definition: JobStepDefinition) {
    this.name = definition.name;
    this.startLimit = definition.startLimit ?? Infinity;
    this.allowStartIfComplete = definition.allowStartIfComplete ?? false;
    this.listeners = definition.listeners ?? [];
  }

  async execute({ scope, execution, runJob, runner }: StepRun<Tx>): Promise<void> {
    const { parameters = parametersOf } = this.definition;
    try {
      const { status, exitStatus } = await runJob(this.definition.job, parameters(scope));
      // This process ends, and the other job runs on in another one.
      if (isRunning(status)) return;
      execution.status = status;
      execution.exitStatus = exitStatus;
    } catch (error) {
      // A process has died after the other job was complete and before this step was. A job that was abandoned is not complete.
      const isRestart = runner.historyOf(this.name).some(({ stepName }) => stepName === this.name);
      const isComplete = error instanceof JobInstanceAlreadyCompleteError && error.status === 'COMPLETED';
      if (!isComplete || !isRestart) throw error;
    }
  }
}

const parametersOf: JobStepParameters = ({ job }) =>
  Object.fromEntries(job.parameters.entries().map(([name, { value, identifying }]) => [name, { value, identifying }]));
