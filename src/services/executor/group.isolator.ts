import type { Blame, IsolationPort, Rehearsal } from '../../batch/isolate.js';
import type { DatabaseErrorFields } from '../database/sql-state.js';
import { drawsValues, type BoundOperation } from '../planner/bound-operation.js';
import type { Outcome } from '../queue/operation-record.js';
import { blameFor } from './blame-for.js';
import { isSalvageable, violatedForeignKey } from './isolation-hints.js';
import { selectMissingParents } from './missing-parents.sql.js';
import { suspectOperations } from './suspect-operations.js';
import { LandingFailedError, type StatementCounter, type TargetWriter } from './target.writer.js';
import { toOperationError } from './to-operation-error.js';
import { toOutcome, toOutcomes } from './to-outcome.js';

type Operations = readonly BoundOperation[];

/** Tells the operations of one group apart: by executing parts of it in the transaction, and by what its errors say. */
export class GroupIsolator implements IsolationPort<BoundOperation, Outcome> {
  /** Foreign keys whose missing parents were asked for. For other blocks the answer is already known. */
  private readonly asked = new Set<string>();

  private salvaged = false;
  /**
   * Several inserts that ignore conflicts need another statement than a single one, and that may need more privileges.
   */
  private onlyAlone = false;

  constructor(
    private readonly writer: TargetWriter,
    private readonly shape: BoundOperation,
    private readonly counter: StatementCounter,
  ) {}

  async attempt(operations: Operations): Promise<Outcome[]> {
    if (operations.length > 0) return toOutcomes(operations, await this.writer.attempt(operations, this.counter));
    await this.writer.attemptNothing(this.shape, this.counter);
    return [];
  }

  blame(error: unknown, operations: Operations): Blame {
    const blame = blameFor(error, operations.length);
    if (blame === 'all' && operations.length > 1) this.onlyAlone = true;
    return blame === 'many' && this.writer.losesPatience() ? 'abort' : blame;
  }

  failure(operation: BoundOperation, error: unknown): Outcome {
    return { status: 'failed', error: toOperationError(error as DatabaseErrorFields, operation) };
  }

  async suspects(error: unknown, operations: Operations): Promise<readonly number[]> {
    const fields = error as DatabaseErrorFields;
    const missing = await this.withoutParent(fields, operations);
    return missing.length > 0 ? missing : suspectOperations(fields, operations);
  }

  readonly rehearsal: Rehearsal<BoundOperation, Outcome> = {
    probe: (sets) => this.writer.probe(sets, this.counter),
    land: (operations) => this.land(operations),
    salvage: async (operations, error) => {
      if (this.writer.releasable === 0 || !isSalvageable(error as DatabaseErrorFields, operations)) return undefined;
      const landed = await this.writer.salvage(operations, this.counter);
      this.salvaged = true;
      return operations.map((operation, index) => (landed[index] === true ? toOutcome(operation, 1) : undefined));
    },
  };

  private async land(operations: Operations): Promise<Outcome[]> {
    // It conflicted with something and now does not: it drew another value, out of its order among the salvaged
    // operations.
    if (this.salvaged && drawsValues(this.shape))
      throw new LandingFailedError(operations, 'they draw values out of order');
    const sets = this.onlyAlone ? operations.map((operation) => [operation]) : [operations];
    const landed = await Promise.all(sets.map((set) => this.writer.land(set, this.counter)));
    return toOutcomes(operations, landed.flat());
  }

  private async withoutParent(error: DatabaseErrorFields, operations: Operations): Promise<number[]> {
    const foreignKey = violatedForeignKey(error, this.shape);
    if (foreignKey === undefined || this.asked.has(foreignKey.name)) return [];
    this.asked.add(foreignKey.name);
    const question = selectMissingParents(foreignKey, operations);
    const rows = question && (await this.writer.ask<{ ord: number }>(question, this.counter));
    return rows?.map(({ ord }) => ord - 1) ?? [];
  }
}
