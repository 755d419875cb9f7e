import type { BatchStatus } from './batch-status.js';
import { ExecutionContext } from './execution-context.js';
import { ExitStatus } from './exit-status.js';
import { StepCounters } from './step-counters.js';

/** One attempt to run a step. */
export class StepExecution extends StepCounters {
  status: BatchStatus = 'STARTED';
  exitStatus = ExitStatus.EXECUTING;
  endedAt: Date | undefined;
  /** Grows with every commit. It tells whether a commit whose answer was lost has happened, and whether somebody else ended the step. */
  version = 0;
  /** How far the step is, from 0 to 1. Undefined when that is not known. Of a step with partitions, see `progressOf`. */
  progress: number | undefined;
  context: ExecutionContext;

  constructor(
    readonly id: string,
    readonly jobExecutionId: string,
    /** Of a partition: `step:partition`. */
    readonly stepName: string,
    readonly startedAt: Date = new Date(),
    context: ExecutionContext = new ExecutionContext(),
  ) {
    super();
    this.context = context;
  }

  /** Another object with the same state. */
  copy(): StepExecution {
    const context = new ExecutionContext(this.context.toJSON());
    const copy = new StepExecution(this.id, this.jobExecutionId, this.stepName, this.startedAt, context);
    copy.copyCounters(this);
    copy.status = this.status;
    copy.exitStatus = this.exitStatus;
    copy.endedAt = this.endedAt;
    copy.version = this.version;
    copy.progress = this.progress;
    return copy;
  }
}

/** An item that was left out. */
export interface SkippedItemRecord {
  phase: 'read' | 'process' | 'write';
  /** The item as JSON text, cut when it is long. Null for an item that could not be read. */
  item: string | null;
  errorName: string;
  message: string;
}
