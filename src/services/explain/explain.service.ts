import { Inject, Injectable } from '@nestjs/common';
import type { IOperationsPlan, IPlanEntry, IPlanGroup } from '../../interfaces/plan.js';
import type { Access } from '../access/access.js';
import { CatalogService } from '../catalog/catalog.service.js';
import { SETTINGS, type Settings } from '../config/settings.js';
import { DatabaseService } from '../database/database.service.js';
import { ServiceError } from '../errors/service-error.js';
import { IntakeService } from '../intake/intake.service.js';
import { bindOperation, type BoundOperation } from '../planner/bound-operation.js';
import type { ReadSet } from '../planner/read-set.js';
import type { Plan } from '../planner/plan.js';
import { planInSteps, planSerially } from '../planner/plan-operations.js';
import type { NewOperation } from '../queue/new-operation.js';
import type { ClaimedOperation } from '../queue/operation-record.js';
import { readRow } from '../queue/stored-row.js';
import { prefetch } from '../prefetch/prefetch.js';
import { inSlices } from '../steps/in-slices.js';
import { describePlan, shorten, type GroupDescription } from './describe-plan.js';
import { splitChunks } from './split-chunks.js';

/** On wide tables, a group for every operation could make an answer that is too large for a broker. */
const MAX_SQL_LENGTH = 8 * 1024 * 1024;

interface BoundRequest {
  operation: NewOperation;
  bound: BoundOperation;
}

/**
 * Explains how operations would be grouped, and why not in fewer groups, without executing them. It checks, reads and
 * plans as intake and the poller do. It changes, stores and locks nothing. `describePlan` gives the reason for each
 * group, as it does for executed chunks.
 */
@Injectable()
export class ExplainService {
  constructor(
    private readonly intake: IntakeService,
    private readonly catalog: CatalogService,
    private readonly database: DatabaseService,
    @Inject(SETTINGS) private readonly settings: Settings,
  ) {}

  /**
   * @param request `{ operations: [...] }`, as for `IntakeService.acceptMany`
   * @throws ServiceError INVALID_REQUEST, TOO_MANY_OPERATIONS; any error of the database when it cannot be asked
   */
  async explain(request: unknown, access: Access): Promise<IOperationsPlan> {
    const bound = await this.bind(await this.intake.check(request, access));
    const accepted = bound.flatMap((each, index) => (each instanceof ServiceError ? [] : [{ index, ...each }]));
    const chunks = splitChunks(accepted, this.settings.poller);
    // The chunk of the operation fills every place without an error.
    const operations = bound.map((each): IPlanEntry =>
      each instanceof ServiceError ? { error: each.toAnswer() } : { group: -1 },
    );
    const groups: IPlanGroup[] = [];
    for (const [number, chunk] of chunks.entries()) {
      const plan = await this.plan(chunk.map(({ bound: operation }) => operation));
      const indexOf = (operation: number): number => chunk[operation]!.index;
      for (const [operation, { group, waitsFor }] of plan.placements.entries()) {
        operations[indexOf(operation)] = {
          group: groups.length + group,
          ...(waitsFor !== undefined && {
            waitsFor: {
              operation: indexOf(waitsFor.operation),
              rule: waitsFor.rule,
              resource: shorten(waitsFor.resource),
            },
          }),
        };
      }
      for (const description of describePlan(plan)) groups.push(toPlanGroup(description, number, indexOf));
      assertAnswerable(groups, operations.length);
    }
    return { mode: this.settings.execution.mode, chunks: chunks.length, statements: groups.length, operations, groups };
  }

  private async plan(operations: readonly BoundOperation[]): Promise<Plan> {
    if (this.settings.execution.mode === 'serial') return planSerially(operations);
    return inSlices(planInSteps(operations, await this.read(operations)));
  }

  /**
   * Reads in a transaction in which PostgreSQL itself prevents changing or locking a row, and which ends before the
   * plan is made.
   */
  private read(operations: readonly BoundOperation[]): Promise<ReadSet> {
    return this.database.requests.transaction(async (tx) => {
      const [, readSet] = await Promise.all([
        tx.query({ text: 'set transaction read only' }),
        prefetch(tx, operations, { lock: false }),
      ]);
      return readSet;
    });
  }

  /** All with the same reading of the catalog, as in a chunk. */
  private async bind(checked: readonly (NewOperation | ServiceError)[]): Promise<(BoundRequest | ServiceError)[]> {
    const tables = await this.catalog.tables(
      checked.flatMap((operation) => (operation instanceof ServiceError ? [] : [operation.shape.target])),
    );
    return checked.map((operation, index) => {
      if (operation instanceof ServiceError) return operation;
      const table = tables.get(operation.shape.target)!;
      if (table instanceof ServiceError) return table;
      const bound = bindOperation(toClaimed(operation, index), table);
      if ('code' in bound) return new ServiceError(bound.code, bound.message, { target: table.id });
      return { operation, bound };
    });
  }
}

/** @throws ServiceError TOO_MANY_OPERATIONS */
function assertAnswerable(groups: readonly IPlanGroup[], operations: number): void {
  if (groups.reduce((sum, { sql }) => sum + sql.length, 0) <= MAX_SQL_LENGTH) return;
  throw new ServiceError(
    'TOO_MANY_OPERATIONS',
    `The statements of these operations take more than ${MAX_SQL_LENGTH / 1024} KiB: send fewer operations at once`,
    { operations },
  );
}

function toPlanGroup(description: GroupDescription, chunk: number, indexOf: (operation: number) => number): IPlanGroup {
  const { operations, folded, because } = description;
  return {
    chunk,
    ...description,
    operations: operations.map(indexOf),
    folded: folded.map((operationsOfRow) => operationsOfRow.map(indexOf)),
    ...(because !== undefined && { because: { ...because, operation: indexOf(because.operation) } }),
  };
}

/** As the queue would return it. */
function toClaimed({ id, shape, row, priority }: NewOperation, seq: number): ClaimedOperation {
  const { type, target, onConflict, conflictKey, mustExist } = shape;
  return {
    ...{ seq, id, type, target, onConflict, conflictKey, mustExist, priority },
    ...readRow(shape, row),
    lane: 0,
    retryLimit: null,
    retryOn: null,
    attempts: 0,
    place: '',
  };
}
