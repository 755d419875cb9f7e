import type { BatchStatus } from './batch-status.js';
import { ExecutionContext } from './execution-context.js';
import { ExitStatus } from './exit-status.js';
import type { JobParameters } from './job-parameters.js';

/** A job with its identifying parameters. It has as many executions as attempts, and completes once. */
export interface JobInstance {
  readonly id: string;
  readonly jobName: string;
}

/** One attempt to run a job instance. */
export class JobExecution {
  status: BatchStatus = 'STARTING';
  exitStatus = ExitStatus.EXECUTING;
  startedAt: Date | undefined;
  endedAt: Date | undefined;
  /** The node of the flow at which the next restart begins: where `stopAndRestart` put it last. Undefined: at the start. */
  restartAt: string | undefined;
  /** True when its process has gone, or was shut down, and nobody had requested a stop. Another process restarts it by itself. */
  interrupted = false;
  /** How many interrupted executions without a new commit come just before it. See `JobRepository.hasProgressed`. */
  recoveries = 0;
  context: ExecutionContext;

  constructor(
    readonly id: string,
    readonly instance: JobInstance,
    readonly parameters: JobParameters,
    readonly createdAt: Date = new Date(),
    context: ExecutionContext = new ExecutionContext(),
  ) {
    this.context = context;
  }

  /** Another object with the same state. */
  copy(): JobExecution {
    const copy = new JobExecution(this.id, this.instance, this.parameters, this.createdAt);
    copy.takeState(this);
    return copy;
  }

  /** Takes over everything that may change. */
  takeState(other: JobExecution): void {
    this.status = other.status;
    this.exitStatus = other.exitStatus;
    this.startedAt = other.startedAt;
    this.endedAt = other.endedAt;
    this.restartAt = other.restartAt;
    this.interrupted = other.interrupted;
    this.recoveries = other.recoveries;
    this.context = new ExecutionContext(other.context.toJSON());
  }

  get jobName(): string {
    return this.instance.jobName;
  }
}
