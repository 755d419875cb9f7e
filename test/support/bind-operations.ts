import type { ICreateBatchOperationRequest } from '../../src/interfaces/operation.js';
import type { CatalogService } from '../../src/services/catalog/catalog.service.js';
import { primaryKey } from '../../src/services/catalog/table.js';
import type { GivenRow } from '../../src/services/values/exact-json.js';
import { bindOperation, type BoundOperation } from '../../src/services/planner/bound-operation.js';

/** An operation as tests write it: what is left out is left out. */
export type TestOperation = Pick<
  ICreateBatchOperationRequest,
  'operationType' | 'target' | 'onConflict' | 'conflictKey' | 'mustExist'
> & { key?: GivenRow; values?: GivenRow };

/** Operations in this order, bound to their tables as a chunk binds what it has claimed. */
export async function bindOperations(
  catalog: CatalogService,
  operations: readonly TestOperation[],
): Promise<BoundOperation[]> {
  const bound: BoundOperation[] = [];
  for (const [index, operation] of operations.entries()) {
    const table = await catalog.table(operation.target);
    const result = bindOperation(
      {
        seq: index + 1,
        id: `00000000-0000-7000-8000-${String(index).padStart(12, '0')}`,
        type: operation.operationType,
        target: table.id,
        key: operation.key ?? null,
        values: operation.values ?? null,
        onConflict: operation.onConflict ?? null,
        conflictKey:
          operation.conflictKey ?? (operation.operationType === 'upsert' ? [...primaryKey(table)!.columns] : null),
        mustExist: operation.mustExist ?? false,
        place: '(0,1)',
        priority: 0,
        lane: 0,
        attempts: 0,
        retryLimit: null,
        retryOn: null,
      },
      table,
    );
    if ('code' in result) throw new Error(result.message);
    bound.push(result);
  }
  return bound;
}
