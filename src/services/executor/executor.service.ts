import { Injectable } from '@nestjs/common';
import { isolate, type Blame } from '../../batch/isolate.js';
import { composeStatement } from '../composer/compose-statement.js';
import type { SqlClient, SqlResult } from '../database/sql.js';
import { errorKind, sqlStateOf, type DatabaseErrorFields } from '../database/sql-state.js';
import type { BoundOperation } from '../planner/bound-operation.js';
import type { Group, Plan } from '../planner/plan.js';
import type { Outcome } from '../queue/operation-record.js';
import { suspectOperation } from './suspect-operation.js';
import { rowNotFound, toOperationError } from './to-operation-error.js';

export interface Execution {
  /** One for each operation, in the order given. */
  outcomes: Outcome[];
  groups: number;
  /** Statements sent to target tables. */
  statements: number;
  /** True when a group failed and its operations had to be isolated. */
  fallback: boolean;
}

/**
 * Executes a plan: as many groups as possible at once, or one after the other where one fails. It promises that an operation
 * is `failed` only by what running it alone, at its place, gave; whatever is nobody's fault is thrown, and then the
 * transaction has to be rolled back. Planning is left to the planner, claiming and settling to the queue.
 */
@Injectable()
export class ExecutorService {
  /** Groups together where they can be. */
  execute(tx: SqlClient, plan: Plan): Promise<Execution> {
    return this.run(tx, plan, (run) => run.quickly());
  }

  /** Every group by itself, in its own savepoint: with a plan of single operations, the measure of all others. */
  executeOneByOne(tx: SqlClient, plan: Plan): Promise<Execution> {
    return this.run(tx, plan, (run) => run.oneByOne());
  }

  private async run(tx: SqlClient, plan: Plan, work: (run: Run) => Promise<void>): Promise<Execution> {
    const run = new Run(tx, plan);
    // A deferred constraint would speak up at the commit, where nobody can be blamed.
    await tx.query({ text: 'set constraints all immediate' });
    await work(run);
    return {
      outcomes: plan.operations.map((operation) => run.outcomes.get(operation)!),
      groups: plan.groups.length,
      statements: run.statements,
      fallback: run.fallback,
    };
  }
}

const STEP_AFTER_FAILURE = 4;

/** One execution of one plan. */
class Run {
  readonly outcomes = new Map<BoundOperation, Outcome>();
  statements = 0;
  fallback = false;

  constructor(
    private readonly tx: SqlClient,
    private readonly plan: Plan,
  ) {}

  /**
   * As many groups as possible in one round trip, without a savepoint for each. After a failure nothing of the round trip
   * is left: what stood before the failed group is sent again, that group is isolated, and on it goes with the rest, in
   * small steps at first, since where one group fails others do.
   */
  async quickly(groups: readonly Group[] = this.plan.groups): Promise<void> {
    let step = groups.length;
    for (let next = 0; next < groups.length;) {
      const some = groups.slice(next, next + step);
      const failed = await this.together(some);
      if (failed === undefined) {
        next += some.length;
        step *= 2;
        continue;
      }
      this.fallback = true;
      await this.quickly(some.slice(0, failed));
      await this.isolate(some[failed]!);
      next += failed + 1;
      step = STEP_AFTER_FAILURE;
    }
  }

  /** Group after group, each by itself. */
  async oneByOne(): Promise<void> {
    for (const group of this.plan.groups) await this.isolate(group);
  }

  /** Executes all groups and records their outcomes, or none and answers the index of the first that failed. */
  private async together(groups: readonly Group[]): Promise<number | undefined> {
    const begun = this.tx.query({ text: 'savepoint groups' });
    const sent = groups.map(({ operations }) => this.send(operations[0]!, operations));
    const results = (await Promise.allSettled([begun, ...sent])).slice(1) as PromiseSettledResult<Outcome[]>[];
    const failed = results.findIndex(({ status }) => status === 'rejected');
    if (failed < 0) {
      for (const [index, group] of groups.entries()) this.record(group, await sent[index]!);
      this.sendUnwatched('release savepoint groups');
      return undefined;
    }
    const { reason } = results[failed] as { reason: unknown };
    if (blameFor(reason, groups[failed]!.operations) === 'abort') throw reason;
    this.sendUnwatched('rollback to savepoint groups');
    this.sendUnwatched('release savepoint groups');
    return failed;
  }

  /** Executes a group in a savepoint, or the parts of it that the database takes. */
  private async isolate(group: Group): Promise<void> {
    const shape = group.operations[0]!;
    const outcomes = await isolate<BoundOperation, Outcome>(group.operations, {
      attempt: (operations) => this.attempt(shape, operations),
      blame: blameFor,
      failure: (operation, error) => ({
        status: 'failed',
        error: toOperationError(error as DatabaseErrorFields, operation),
      }),
      suspect: (error, operations) => suspectOperation(error as DatabaseErrorFields, operations),
    });
    this.record(group, outcomes);
  }

  private async attempt(shape: BoundOperation, operations: readonly BoundOperation[]): Promise<Outcome[]> {
    const [, sent] = await Promise.allSettled([
      this.tx.query({ text: 'savepoint attempt' }),
      this.send(shape, operations),
    ]);
    if (sent.status === 'rejected') this.sendUnwatched('rollback to savepoint attempt');
    this.sendUnwatched('release savepoint attempt');
    if (sent.status === 'rejected') throw sent.reason;
    return sent.value;
  }

  /** It travels with the next statement; should it fail, that one does too. */
  private sendUnwatched(text: string): void {
    this.tx.query({ text }).catch(() => undefined);
  }

  private async send(shape: BoundOperation, operations: readonly BoundOperation[]): Promise<Outcome[]> {
    this.statements += 1;
    const { answers, ...statement } = composeStatement(shape, operations);
    const result = await this.tx.query<{ ord: number }>(statement);
    const rowsAffected = answers === 'every' ? rowsOfEvery(operations, result) : rowsByOrdinal(operations, result);
    return operations.map((operation, index) => toOutcome(operation, rowsAffected[index]!));
  }

  private record(group: Group, outcomes: readonly Outcome[]): void {
    group.operations.forEach((operation, index) => this.outcomes.set(operation, outcomes[index]!));
  }
}

const BLAME = { transient: 'abort', systemic: 'all', operation: 'item' } as const satisfies Record<string, Blame>;

/** A statement that takes too long may do so for its many operations: only one that is alone is left to a later chunk. */
const STATEMENT_TIMEOUT = '57014';

function blameFor(error: unknown, operations: readonly BoundOperation[]): Blame {
  if (error instanceof UnexpectedRowsError) return 'item';
  if (operations.length > 1 && sqlStateOf(error) === STATEMENT_TIMEOUT) return 'item';
  return BLAME[errorKind(error)];
}

function toOutcome(operation: BoundOperation, rowsAffected: number): Outcome {
  if (rowsAffected === 0 && operation.operation.mustExist) return { status: 'failed', error: rowNotFound(operation) };
  return { status: 'completed', rowsAffected };
}

/** Tables where a row may be suppressed (a trigger) or several are changed (inheritance) are opaque: one operation at a time. */
function rowsOfEvery(operations: readonly BoundOperation[], { rowCount }: SqlResult<unknown>): number[] {
  if (operations.length === 1) return [rowCount ?? 0];
  if (rowCount !== operations.length) throw new UnexpectedRowsError(operations, `${rowCount} rows changed`);
  return operations.map(() => 1);
}

function rowsByOrdinal(operations: readonly BoundOperation[], { rows }: SqlResult<{ ord: number }>): number[] {
  const affected = operations.map(() => 0);
  for (const { ord } of rows) affected[ord - 1] = (affected[ord - 1] ?? 0) + 1;
  if (operations.length > 1 && affected.some((count) => count > 1)) {
    throw new UnexpectedRowsError(operations, 'one of them changed several rows');
  }
  return affected;
}

/** The catalog was wrong about a key. Nothing of the statement may stand; one by one, each operation has its own count. */
class UnexpectedRowsError extends Error {
  constructor(operations: readonly BoundOperation[], what: string) {
    const { kind, table } = operations[0]!;
    super(`${operations.length} operations (${kind} of ${table.id}) had an unexpected result: ${what}`);
    this.name = 'UnexpectedRowsError';
  }
}
