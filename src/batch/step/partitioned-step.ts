import type { Awaitable } from '../awaitable.js';
import { InvalidJobDefinitionError } from '../model/batch-error.js';
import { worstStatus } from '../model/batch-status.js';
import type { JsonValue } from '../model/execution-context.js';
import { NO_CONTRIBUTION } from '../model/step-counters.js';
import { ExitStatus } from '../model/exit-status.js';
import type { StepExecution } from '../model/step-execution.js';
import type { Step, StepLauncher, StepRun } from './step.js';
import type { StepListener } from './step-listener.js';
import type { StepScope } from './step-scope.js';

/** The contexts of the partitions, by name. A worker reads its part from its step context. */
export type Partitions = Readonly<Record<string, Readonly<Record<string, JsonValue>>>>;

/** Divides the work. It is asked once for each job instance: a restart works on the partitions of the first execution. */
export type Partitioner = (gridSize: number, scope: StepScope) => Awaitable<Partitions>;

/** Has the partitions executed, here or elsewhere. Resolves when all have ended, whatever became of them. */
export interface PartitionHandler<Tx> {
  handle(partitions: readonly Partition<Tx>[], runner: StepLauncher<Tx>): Promise<StepExecution[]>;
}

export interface Partition<Tx> {
  step: Step<Tx>;
  context: Readonly<Record<string, JsonValue>>;
}

export interface PartitionedStepDefinition<Tx> {
  name: string;
  /** Makes the step of a partition. A step with another name than the one given, `step:partition`, is refused. */
  worker: (name: string) => Step<Tx>;
  partitioner: Partitioner;
  /** A whole number from 1. */
  gridSize: number;
  /** Default: in this process, as many at the same time as `gridSize`. */
  handler?: PartitionHandler<Tx>;
  startLimit?: number;
  allowStartIfComplete?: boolean;
  listeners?: readonly StepListener[];
}

/** Runs partitions in this process. */
export class LocalPartitionHandler<Tx> implements PartitionHandler<Tx> {
  constructor(private readonly concurrency: number) {}

  async handle(partitions: readonly Partition<Tx>[], runner: StepLauncher<Tx>): Promise<StepExecution[]> {
    const ended: StepExecution[] = [];
    let next = 0;
    const work = async (): Promise<void> => {
      while (next < partitions.length && !runner.signal.aborted) {
        const index = next++;
        const { step, context } = partitions[index]!;
        ended[index] = await runner.run(step, context);
      }
    };
    const workers = await Promise.allSettled(Array.from({ length: this.concurrency }, work));
    const failed = workers.find(({ status }) => status === 'rejected');
    if (failed?.status === 'rejected') throw failed.reason;
    return ended.filter((each) => each !== undefined);
  }
}

/**
 * Runs a step once for each partition, as step executions `step:partition`. The worst status of them is its own, and it counts what all
 * of them count. On a restart only partitions that are not complete run.
 */
export class PartitionedStep<Tx> implements Step<Tx> {
  readonly name: string;
  readonly startLimit: number;
  readonly allowStartIfComplete: boolean;
  readonly listeners: readonly StepListener[];

  /** @throws InvalidJobDefinitionError */
  constructor(private readonly definition: PartitionedStepDefinition<Tx>) {
    const { name, gridSize } = definition;
    if (!Number.isSafeInteger(gridSize) || gridSize < 1) {
      throw new InvalidJobDefinitionError(
        `The grid size of step "${name}" must be a whole number from 1, and is ${gridSize}`,
      );
    }
    this.name = name;
    this.startLimit = definition.startLimit ?? Infinity;
    this.allowStartIfComplete = definition.allowStartIfComplete ?? false;
    this.listeners = definition.listeners ?? [];
  }

  async execute({ execution, scope, runner, signal, repository, transactionManager }: StepRun<Tx>): Promise<void> {
    const { gridSize, handler = new LocalPartitionHandler(gridSize) } = this.definition;
    const partitions =
      execution.context.get<Partitions>(PARTITIONS) ?? (await this.definition.partitioner(gridSize, scope));
    const all = Object.entries(partitions).map(([name, context]) => ({
      step: this.workerOf(name),
      context,
    }));
    execution.context.put(PARTITIONS, partitions);
    execution.progress = completeShare(all, runner.historyOf(`${this.name}:`));
    // Before the first partition begins: a restart must not divide the work in another way.
    await transactionManager.transaction((tx) => {
      const { progress } = execution;
      return repository.saveProgress(tx, {
        execution,
        contribution: NO_CONTRIBUTION,
        counts: false,
        skipped: [],
        progress,
      });
    });
    execution.version += 1;
    const ended = await handler.handle(all, runner);
    // A partition that an earlier execution has completed did not run again, and is not counted again.
    for (const each of ended) if (each.jobExecutionId === execution.jobExecutionId) addUp(execution, each);
    const status = worstStatus(ended.map((each) => each.status));
    execution.status = status === 'COMPLETED' && (signal.aborted || ended.length < all.length) ? 'STOPPED' : status;
    const failures = ended.filter((each) => each.status === 'FAILED').map(describe);
    if (failures.length > 0) execution.exitStatus = ExitStatus.FAILED.describedBy(failures.join('\n'));
  }

  /** @throws InvalidJobDefinitionError */
  private workerOf(partition: string): Step<Tx> {
    const name = `${this.name}:${partition}`;
    const step = this.definition.worker(name);
    if (step.name === name) return step;
    // What is stored of a partition is found by its name.
    throw new InvalidJobDefinitionError(
      `The worker of step "${this.name}" was asked for a step with the name "${name}", and made "${step.name}": give its step the name that it gets`,
    );
  }
}

const PARTITIONS = 'batch.partitions';

/**
 * How far a step is, from 0 to 1. Undefined when that is not known. Of a step with partitions it is the mean of these: what earlier
 * executions have completed, and how far the partitions of this execution are.
 *
 * @param steps all steps of the same job execution
 */
export function progressOf(
  { status, stepName, context, progress }: StepExecution,
  steps: readonly StepExecution[],
): number | undefined {
  const partitions = context.get<Partitions>(PARTITIONS);
  if (partitions === undefined || status === 'COMPLETED') return progress;
  const names = new Set(Object.keys(partitions).map((name) => `${stepName}:${name}`));
  let sum = (progress ?? 0) * names.size;
  for (const partition of steps.filter((each) => names.has(each.stepName))) {
    // Before its first commit it has done nothing. After that, a reader that does not say how far it is never will.
    const share = partition.progress ?? (partition.version === 0 ? 0 : undefined);
    if (share === undefined) return undefined;
    sum += share;
  }
  return names.size === 0 ? undefined : sum / names.size;
}

/** What earlier executions have completed, and this one does not run again. */
function completeShare<Tx>(all: readonly Partition<Tx>[], history: readonly StepExecution[]): number {
  const complete = new Set(history.filter(({ status }) => status === 'COMPLETED').map(({ stepName }) => stepName));
  const done = all.filter(({ step }) => complete.has(step.name) && !step.allowStartIfComplete);
  return all.length === 0 ? 0 : done.length / all.length;
}

const describe = ({ stepName, exitStatus }: StepExecution): string => `${stepName}: ${exitStatus.description}`;

function addUp(all: StepExecution, one: StepExecution): void {
  all.add(one, false);
  all.commitCount += one.commitCount;
  all.rollbackCount += one.rollbackCount;
}
