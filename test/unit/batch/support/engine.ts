import type { ItemReader, ItemWriter } from '../../../../src/batch/chunk/item.js';
import { BatchBuilders } from '../../../../src/batch/job/batch-builders.js';
import type { JobDefinition } from '../../../../src/batch/job/job-definition.js';
import type { JobExecution } from '../../../../src/batch/model/job-execution.js';
import type { JobParametersInput } from '../../../../src/batch/model/job-parameters.js';
import type { StepExecution } from '../../../../src/batch/model/step-execution.js';
import type { CustomBatchOptions } from '../../../../src/batch/nest/batch-options.js';
import { MemoryJobRepository } from '../../../../src/batch/repository/memory-job-repository.js';
import {
  MemoryTransactionManager,
  type MemoryTransaction,
} from '../../../../src/batch/repository/memory-transaction-manager.js';
import type { Step } from '../../../../src/batch/step/step.js';
import { BatchTestKit } from '../../../../src/batch/testing/index.js';

export type Tx = MemoryTransaction;

export const b = new BatchBuilders<Tx>();

export class BadItemError extends Error {}
export class TransientError extends Error {}

export const itemsOf = (count: number): string[] => Array.from({ length: count }, (_, index) => String(index + 1));

/** Items from a list. It goes on after a restart where the last commit left it. */
export function listReader(
  items: readonly string[],
  bad: readonly string[] = [],
): ItemReader<string> & { reads: string[] } {
  let next = 0;
  const reads: string[] = [];
  return {
    reads,
    open: (context: { get(key: string): unknown }) => void (next = Number(context.get('next') ?? 0)),
    update: (context: { put(key: string, value: number): void }) => context.put('next', next),
    read() {
      const item = items[next];
      if (item === undefined) return null;
      next += 1;
      reads.push(item);
      if (bad.includes(item)) throw new BadItemError(`read ${item}`);
      return item;
    },
  } as ItemReader<string> & { reads: string[] };
}

/** Rows that are there when their transaction has committed. A bad row fails after it was inserted. */
export function table(isBad: (item: string) => boolean = () => false) {
  const rows: string[] = [];
  const calls: string[] = [];
  const writer: ItemWriter<string, void, Tx> = {
    write: async (items, { tx }) => {
      calls.push(items.join(''));
      for (const item of items) {
        tx.onCommit(() => void rows.push(item));
        if (isBad(item)) throw new BadItemError(`write ${item}`);
      }
    },
  };
  return { rows, calls, writer };
}

/** Makes steps that note their names each time they run, and fail as long as they are among the broken ones. */
export function noting(ran: string[], broken: ReadonlySet<string> = new Set()) {
  return (name: string): Step<Tx> =>
    b
      .step(name)
      .tasklet(() => {
        ran.push(name);
        if (broken.has(name)) throw new Error(`${name} is broken`);
      })
      .build();
}

/** A test kit with a repository of its own. Another one on the same repository is another process. */
export function engine(
  jobs: readonly JobDefinition<Tx>[],
  repository = new MemoryJobRepository(),
  options: Partial<CustomBatchOptions> = {},
) {
  const [first, ...others] = jobs;
  const store = { repository, transactionManager: new MemoryTransactionManager() };
  const { operator } = BatchTestKit.forJob<Tx>([first!, ...others], { ...store, ...options });
  return {
    operator,
    repository,
    run: (input: JobParametersInput = {}, name = first!.name): Promise<JobExecution> => operator.run(name, input),
    steps: (execution: JobExecution): Promise<StepExecution[]> => repository.stepExecutions(execution.id),
  };
}

/** R, W, F, C, B, rs, ps, ws as the notes of the engine write them. Zeros are left out. */
export function counts(execution: StepExecution | undefined): string {
  if (execution === undefined) return 'no step';
  const pairs: [string, number][] = [
    ['R', execution.readCount],
    ['W', execution.writeCount],
    ['F', execution.filterCount],
    ['C', execution.commitCount],
    ['B', execution.rollbackCount],
    ['rs', execution.readSkipCount],
    ['ps', execution.processSkipCount],
    ['ws', execution.writeSkipCount],
  ];
  return pairs
    .filter(([, count]) => count > 0)
    .map(([letter, count]) => `${letter}${count}`)
    .join(' ');
}
