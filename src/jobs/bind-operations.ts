import type { IOperationError } from '../interfaces/operation.js';
import type { CatalogService } from '../services/catalog/catalog.service.js';
import { ServiceError } from '../services/errors/service-error.js';
import { bindOperation, type BoundOperation } from '../services/planner/bound-operation.js';
import type { ClaimedOperation, SettledOperation } from '../services/queue/operation-record.js';

/** The operations of a chunk with their tables. */
export interface BoundOperations {
  bound: BoundOperation[];
  /** Those whose table, columns or key no longer exist. */
  refused: SettledOperation[];
  /** True when the tables were read from the catalog for this chunk, and are not only remembered. */
  tablesAreCurrent: boolean;
}

type Binding = BoundOperation | IOperationError;

/**
 * Binds operations to their tables as they are now. All operations of a chunk are bound to the same reading of the catalog,
 * because a plan with two versions of a table would be wrong.
 *
 * @param anew true when the tables have to be read for this chunk
 */
export async function bindOperations(
  operations: readonly ClaimedOperation[],
  catalog: CatalogService,
  anew: boolean,
): Promise<BoundOperations> {
  const startedAt = performance.now();
  // Other code in this process also uses the catalog. What it has read since the last attempt may not be new enough.
  if (anew) catalog.invalidate();
  const bindings = await bindAll(operations, catalog);
  const bound: BoundOperation[] = [];
  const refused: SettledOperation[] = [];
  bindings.forEach((binding, index) => {
    if (isFailure(binding))
      refused.push({ operation: operations[index]!, outcome: { status: 'failed', error: binding } });
    else bound.push(binding);
  });
  return { bound, refused, tablesAreCurrent: anew || catalog.isNewerThan(startedAt) };
}

async function bindAll(operations: readonly ClaimedOperation[], catalog: CatalogService): Promise<Binding[]> {
  const bindings = await bindOnce(operations, catalog);
  const unfit = operations.filter((_, index) => isUnfit(bindings[index]!));
  if (unfit.length === 0) return bindings;
  // The operation was accepted, so the table may be newer than the remembered catalog.
  const changed = await catalog.forgetIfChanged(unfit.map(({ target }) => target));
  return changed ? bindOnce(operations, catalog) : bindings;
}

async function bindOnce(operations: readonly ClaimedOperation[], catalog: CatalogService): Promise<Binding[]> {
  const tables = await catalog.tables(operations.map(({ target }) => target));
  return operations.map((operation) => {
    const table = tables.get(operation.target)!;
    return table instanceof ServiceError ? gone(table) : bindOperation(operation, table);
  });
}

/** In PostgreSQL's words. */
function gone({ code, message }: ServiceError): IOperationError {
  return { code, message, ...(code === 'UNKNOWN_TARGET' && { sqlState: '42P01' }) };
}

const isFailure = (binding: Binding): binding is IOperationError => 'code' in binding;

/** There is a table, but the operation does not fit it. For a missing table the catalog has been read already. */
const isUnfit = (binding: Binding): boolean =>
  isFailure(binding) && binding.code !== 'UNKNOWN_TARGET' && binding.code !== 'TARGET_NOT_ALLOWED';
