import type { ICreateBatchOperationRequest } from '../../src/interfaces/operation.js';
import type { CatalogService } from '../../src/services/catalog/catalog.service.js';
import { primaryKey, type Table } from '../../src/services/catalog/table.js';
import type { ParsedRequest } from '../../src/services/intake/parse-request.js';
import {
  learnShape,
  shapeRow,
  type RequestShape,
  type ShapedRequest,
} from '../../src/services/intake/shape-request.js';
import type { StoredShape } from '../../src/services/queue/shape.js';
import { objectRowText, readRow, rowValueText } from '../../src/services/queue/stored-row.js';
import type { GivenRow } from '../../src/services/values/exact-json.js';
import { ownValue } from '../../src/services/values/own-value.js';
import { bindOperation, type BoundOperation } from '../../src/services/planner/bound-operation.js';

/** An operation as tests write it: what is left out is left out. */
export type TestOperation = Pick<
  ICreateBatchOperationRequest,
  'operationType' | 'target' | 'onConflict' | 'conflictKey' | 'mustExist'
> & { key?: GivenRow; values?: GivenRow };

/** An operation as intake stores it. */
export interface StoredOperation {
  seq: number;
  storedAs: StoredShape;
  row: string;
}

/** How operations are stored: intake's way, but in tests of what finds its mistakes. */
export type ShapeOperation = (
  request: ParsedRequest,
  table: Table,
  conflictKey: readonly string[] | null,
) => ShapedRequest;

/** Intake's way, also for values that it refuses: it may have accepted them before the table was altered. */
export const shapeRequest: ShapeOperation = (request, table, conflictKey) => {
  const shape = learnShape(request, table, conflictKey);
  return shapeRow(request, shape) ?? shapeUnchecked(request, shape);
};

function shapeUnchecked({ key, values }: ParsedRequest, { shape, objects, columns }: RequestShape): ShapedRequest {
  const cells = columns.map(({ column, inKey, kind }) =>
    rowValueText(ownValue((inKey ? key : values)!, column.name)!, kind),
  );
  return cells.includes(undefined)
    ? { shape: objects, row: objectRowText({ key: key ?? null, values: values ?? null }) }
    : { shape, row: `[${cells.join(',')}]` };
}

/** Operations in this order, as intake stores them, numbered from 1. */
export async function storeOperations(
  catalog: CatalogService,
  operations: readonly TestOperation[],
  shapeOperation: ShapeOperation = shapeRequest,
): Promise<StoredOperation[]> {
  const ids = new Map<string, StoredShape>();
  const stored: StoredOperation[] = [];
  for (const [index, operation] of operations.entries()) {
    const table = await catalog.table(operation.target);
    const request = { ...NOTHING_MORE, ...operation, mustExist: operation.mustExist ?? false };
    const { shape, row } = shapeOperation(request, table, conflictKeyOf(operation, table));
    const storedAs = ids.get(shape.name) ?? { ...shape, id: ids.size };
    ids.set(shape.name, storedAs);
    stored.push({ seq: index + 1, storedAs, row });
  }
  return stored;
}

/**
 * Operations in this order, bound to their tables as a chunk binds what it has claimed.
 *
 * @param stored of each operation; absent when they are stored nowhere
 */
export async function bindOperations(
  catalog: CatalogService,
  operations: readonly TestOperation[],
  stored?: readonly StoredOperation[],
): Promise<BoundOperation[]> {
  const bound: BoundOperation[] = [];
  for (const [index, operation] of operations.entries()) {
    const table = await catalog.table(operation.target);
    const { key = null, values = null } = operation;
    const read = stored && readRow(stored[index]!.storedAs, stored[index]!.row);
    const result = bindOperation(
      {
        seq: index + 1,
        id: `00000000-0000-7000-8000-${String(index).padStart(12, '0')}`,
        type: operation.operationType,
        target: table.id,
        ...(read ?? { key, values }),
        ...(stored && { storedAs: stored[index]!.storedAs }),
        onConflict: operation.onConflict ?? null,
        conflictKey: conflictKeyOf(operation, table),
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

const NOTHING_MORE = {
  ...{ id: '', priority: 0, createdBy: undefined, traceContext: null },
  ...{ key: undefined, values: undefined, onConflict: undefined, conflictKey: undefined },
  ...{ runAt: undefined, retry: undefined, source: undefined },
};

const conflictKeyOf = ({ conflictKey, operationType }: TestOperation, table: Table): readonly string[] | null =>
  conflictKey ?? (operationType === 'upsert' ? primaryKey(table)!.columns : null);
