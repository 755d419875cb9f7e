import type { Awaitable } from '../awaitable.js';
import type { ExecutionContext, JsonValue } from '../model/execution-context.js';
import { NO_CONTRIBUTION, type StepContribution } from '../model/step-counters.js';
import type { Step, StepRun } from './step.js';
import type { StepListener } from './step-listener.js';
import type { StepScope } from './step-scope.js';

export interface TaskletContext<Tx> {
  /** Work done through it is committed with this call, or not at all. */
  readonly tx: Tx;
  readonly scope: StepScope;
  /** Aborted when the step is to stop after this call. */
  readonly signal: AbortSignal;
  /** What this call adds to the counters of the step. */
  readonly contribution: StepContribution;
}

/** Work that is not made of items. It is called again and again, in a transaction of its own each time, until it answers FINISHED. */
export type Tasklet<Tx> = (context: TaskletContext<Tx>) => Awaitable<RepeatStatus | void>;

/** Whether a tasklet is called again. To answer nothing is to answer FINISHED. */
export const RepeatStatus = { FINISHED: 'FINISHED', CONTINUABLE: 'CONTINUABLE' } as const;
export type RepeatStatus = keyof typeof RepeatStatus;

export interface TaskletStepDefinition<Tx> {
  name: string;
  tasklet: Tasklet<Tx>;
  startLimit?: number;
  allowStartIfComplete?: boolean;
  listeners?: readonly StepListener[];
}

/**
 * Kept in the context of the step, as the partitions of a partitioned step are. Names of that kind are the engine's. Its value is what the
 * tasklet has put into the context of the job: that is stored only with the end of the step.
 */
const FINISHED = 'batch.finished';

/**
 * Runs a tasklet. It promises that the context is stored with each call's work, and with the last call that it was the last: a restart
 * does not call a tasklet again that has finished.
 */
export class TaskletStep<Tx> implements Step<Tx> {
  readonly name: string;
  readonly startLimit: number;
  readonly allowStartIfComplete: boolean;
  readonly listeners: readonly StepListener[];

  constructor(private readonly definition: TaskletStepDefinition<Tx>) {
    this.name = definition.name;
    this.startLimit = definition.startLimit ?? Infinity;
    this.allowStartIfComplete = definition.allowStartIfComplete ?? false;
    this.listeners = definition.listeners ?? [];
  }

  async execute(run: StepRun<Tx>): Promise<void> {
    const { execution, job, signal } = run;
    // Its process may have died, or was stopped, after the last call and before the end of the step was stored.
    const left = execution.context.get<Record<string, JsonValue>>(FINISHED);
    for (const [key, value] of Object.entries(left ?? {})) job.context.put(key, value);
    const before = job.context.copy();
    let finished = left !== undefined;
    while (!finished && !signal.aborted) finished = await this.callOnce(run, before);
  }

  private async callOnce(
    { execution, job, scope, repository, transactionManager, signal, stop }: StepRun<Tx>,
    jobContext: ExecutionContext,
  ): Promise<boolean> {
    const contribution = { ...NO_CONTRIBUTION };
    const before = execution.context.snapshot();
    try {
      const { answer, saved } = await transactionManager.transaction(async (tx) => {
        const said = await this.definition.tasklet({ tx, scope, signal, contribution });
        if (said !== 'CONTINUABLE') execution.context.put(FINISHED, job.context.changesSince(jobContext));
        const progress = { execution, contribution, counts: true, skipped: [] };
        return { answer: said, saved: await repository.saveProgress(tx, progress) };
      });
      execution.add(contribution, true);
      execution.version += 1;
      if (saved.stopRequested) stop();
      return answer !== 'CONTINUABLE';
    } catch (error) {
      execution.rolledBack();
      execution.context.restore(before);
      throw error;
    }
  }
}
