import type { Awaitable } from '../awaitable.js';
import type { BatchStatus } from '../model/batch-status.js';
import type { JobExecution } from '../model/job-execution.js';
import type { StepExecution } from '../model/step-execution.js';
import type { Step } from '../step/step.js';

/**
 * Says by its answer which way a flow goes on: the answer is compared with the patterns.
 *
 * @param lastStep the step that the flow has passed last; after a restart perhaps in an execution before. Behind a split it is
 *   the step before the split. Undefined at the beginning
 */
export type Decider = (job: JobExecution, lastStep: StepExecution | undefined) => Awaitable<string>;

/** A place in a flow. Its name is its id: the same name is the same place. */
export type FlowNode<Tx> =
  | { kind: 'step'; name: string; step: Step<Tx> }
  | { kind: 'decision'; name: string; decide: Decider }
  | { kind: 'flow'; name: string; flow: Flow<Tx> }
  | { kind: 'split'; name: string; flows: readonly Flow<Tx>[] }
  | EndNode;

/** Ends the flow. */
export interface EndNode {
  kind: 'end';
  name: string;
  status: Extract<BatchStatus, 'COMPLETED' | 'STOPPED' | 'FAILED'>;
  exitCode: string;
  /** The name of the node at which a restart begins. Undefined: as before, past the complete steps. */
  restartAt?: string;
}

export interface Transition {
  /** Compared with the exit code: `*` is any text, `?` any character. */
  pattern: string;
  to: string;
}

/** Steps and what follows them. */
export interface Flow<Tx> {
  name: string;
  start: string;
  nodes: ReadonlyMap<string, FlowNode<Tx>>;
  /** By name of the node that they begin at. A node without any ends the flow. */
  transitions: ReadonlyMap<string, readonly Transition[]>;
  /**
   * Nodes with nothing but a next one. They go on when their status is COMPLETED, whatever their exit code, and otherwise end the flow with
   * their own status.
   */
  sequential: ReadonlySet<string>;
}
