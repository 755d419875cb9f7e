import { isolate, type FirstFailure } from '../../batch/isolate.js';
import type { BoundOperation } from '../planner/bound-operation.js';
import { originalsOf, unfold, type Group, type Plan, type PlannedOperation } from '../planner/plan.js';
import type { Outcome } from '../queue/operation-record.js';
import { blameFor } from './blame-for.js';
import { GroupIsolator } from './group.isolator.js';
import { isRepeated, type TargetWriter } from './target.writer.js';
import { toOutcome } from './to-outcome.js';

export interface GroupExecution {
  /** The number of statements that were sent to target tables for its operations, including trial runs. */
  statements: number;
  /**
   * True when it failed, so that its operations had to be told apart. False when each is executed alone from the start.
   */
  isolated: boolean;
}

/** A group of the plan, or a part of a group that had folds. */
interface Step {
  group: Group;
  execution: GroupExecution;
}

/** The first of several steps that failed. */
interface FailedStep extends FirstFailure {
  index: number;
}

/** Steps between two checkpoints. After a failure, the steps since the last checkpoint are sent again. */
const CHECKPOINT_INTERVAL = 16;
const CHECKPOINT_INTERVAL_AFTER_FAILURE = 2;
const SMALLEST_STRIDE = 2;
/** A limit, because a failure wastes everything that was sent after it. */
const LARGEST_STRIDE = 256;
/** If every fourth step fails, a savepoint for each step costs less than going on after each failure. */
const DENSE_STRIDE = 4;
const DENSE_FAILURES = 4;

/** One execution of one plan. */
export class PlanRun {
  readonly outcomes = new Map<BoundOperation, Outcome>();
  readonly perGroup: GroupExecution[];
  private readonly steps: Step[];
  private failures = 0;

  constructor(
    private readonly writer: TargetWriter,
    plan: Plan,
  ) {
    this.perGroup = plan.groups.map(() => ({ statements: 0, isolated: false }));
    this.steps = plan.groups.map((group, index) => ({ group, execution: this.perGroup[index]! }));
  }

  /**
   * Sends as many groups as possible in one round trip, without a savepoint for each. After a failure, the groups
   * between the last checkpoint and the failed group are sent again, and the failed group is isolated. Then it
   * continues with the rest, up to where the next failure is expected.
   */
  async quickly(): Promise<void> {
    for (let next = 0, stride = LARGEST_STRIDE; next < this.steps.length;) {
      const singles = this.isDense(next) ? this.singlesFrom(next) : [];
      if (singles.length > 1) {
        await this.singly(singles);
        next += singles.length;
        continue;
      }
      const some = this.steps.slice(next, next + stride);
      const failed = await this.together(some, this.steps.length - next);
      next += failed?.index ?? some.length;
      if (failed !== undefined) next += await this.resolve(next, failed);
      stride = this.strideAfter(next);
    }
  }

  /** Up to where the next failure is expected. */
  private strideAfter(next: number): number {
    if (this.failures === 0) return LARGEST_STRIDE;
    return Math.min(LARGEST_STRIDE, Math.max(SMALLEST_STRIDE, Math.floor(next / this.failures)));
  }

  /** Sends one group after the other, each alone. */
  async oneByOne(): Promise<void> {
    for (const { group, execution } of this.steps) {
      for (const part of group.operations.some(isFold) ? unfold(group) : [group]) {
        await this.isolate({ group: part, execution });
      }
    }
  }

  /** Executes the steps, or those before the first one that fails, and returns which one that is. */
  private async together(steps: readonly Step[], remaining: number): Promise<FailedStep | undefined> {
    const interval = this.checkpointInterval(remaining);
    const sentTimes = countSignatures(steps);
    this.writer.command('savepoint groups');
    const sent = steps.map(({ group, execution }, index) => {
      // If the checkpoint fails, the next step fails too and reports it.
      if (index > 0 && index % interval === 0) void this.writer.checkpoint('groups');
      return this.writer.send(group.operations, execution, isRepeated(sentTimes.get(group.signature) ?? 0));
    });
    const results = await Promise.allSettled(sent);
    await this.writer.settle();
    const failed = firstFailure(results);
    if (failed !== undefined && blameFor(failed.error, steps[failed.index]!.group.operations.length) === 'abort') {
      throw failed.error;
    }
    const succeeded = failed?.index ?? steps.length;
    const kept = this.keep(succeeded, failed === undefined, interval);
    steps.slice(0, kept).forEach(({ group }, index) => this.record(group, rowsOf(results[index]!)));
    for (const { group, execution } of steps.slice(kept, succeeded)) {
      this.writer.landUnderway(group.operations, execution, (rows) => this.record(group, rows));
    }
    return failed;
  }

  /** Ends the savepoint of steps that were sent together. Returns how many of them need not be sent again. */
  private keep(succeeded: number, all: boolean, interval: number): number {
    // A checkpoint comes before a step, so there is none after the last one.
    const lastBegun = all ? succeeded - 1 : succeeded;
    const checkpoints = Math.floor(lastBegun / interval);
    this.writer.countReleased(checkpoints);
    if (all && this.writer.releasable > 0) {
      this.writer.release('groups');
      return succeeded;
    }
    this.writer.undo('groups');
    return lastBegun - (lastBegun % interval);
  }

  /** Never so many that savepoints might run out. */
  private checkpointInterval(remaining: number): number {
    const wanted = this.failures === 0 ? CHECKPOINT_INTERVAL : CHECKPOINT_INTERVAL_AFTER_FAILURE;
    const affordable = this.writer.releasable / 2;
    return affordable < 1 ? Infinity : Math.max(wanted, Math.ceil(remaining / affordable));
  }

  /** Returns how many steps are settled by this. */
  private async resolve(at: number, failed: FailedStep): Promise<number> {
    const step = this.steps[at]!;
    this.failures += 1;
    step.execution.isolated = true;
    if (!step.group.operations.some(isFold)) {
      await this.isolate(step, failed);
      return 1;
    }
    const parts = unfold(step.group).map((group) => ({ group, execution: step.execution }));
    this.steps.splice(at, 1, ...parts);
    return 0;
  }

  private isDense(next: number): boolean {
    return this.failures >= DENSE_FAILURES && next < this.failures * DENSE_STRIDE;
  }

  /** The steps from here that have one operation each, at most as many as may be released. */
  private singlesFrom(next: number): Step[] {
    const some = this.steps.slice(next, next + this.writer.releasable);
    const other = some.findIndex(({ group }) => group.operations.length > 1 || group.operations.some(isFold));
    return other < 0 ? some : some.slice(0, other);
  }

  private async singly(steps: readonly Step[]): Promise<void> {
    const results = await this.writer.oneAfterTheOther(
      steps.map(({ group, execution }) => [group.operations, execution]),
    );
    for (const [index, step] of steps.entries()) {
      const result = results[index]!;
      if (result.status === 'fulfilled') {
        this.record(step.group, result.value);
      } else {
        this.failures += 1;
        step.execution.isolated = true;
        await this.isolate(step, { error: result.reason });
      }
    }
  }

  /** Executes a group without folds in a savepoint, or those parts of it that the database accepts. */
  private async isolate({ group: { operations }, execution }: Step, failed?: FirstFailure): Promise<void> {
    const isolator = new GroupIsolator(this.writer, operations[0]!, execution);
    const outcomes = await isolate<BoundOperation, Outcome>(operations, isolator, failed);
    operations.forEach((operation, index) => this.outcomes.set(operation, outcomes[index]!));
  }

  private record({ operations }: Group, rows: readonly number[]): void {
    operations.forEach((operation, index) => {
      for (const original of originalsOf(operation)) this.outcomes.set(original, toOutcome(original, rows[index]!));
    });
  }
}

function countSignatures(steps: readonly Step[]): Map<string, number> {
  const times = new Map<string, number>();
  for (const { group } of steps) times.set(group.signature, (times.get(group.signature) ?? 0) + 1);
  return times;
}

const isFold = ({ folded }: PlannedOperation): boolean => folded !== undefined;

function firstFailure(results: readonly PromiseSettledResult<unknown>[]): FailedStep | undefined {
  const index = results.findIndex(({ status }) => status === 'rejected');
  const result = results[index];
  return result?.status === 'rejected' ? { index, error: result.reason } : undefined;
}

function rowsOf(result: PromiseSettledResult<number[]>): number[] {
  if (result.status === 'rejected') throw result.reason;
  return result.value;
}
