import type { Awaitable, ItemContext, ItemProcessor } from '../batch/item.js';
import type { IOperationError } from '../interfaces/operation.js';
import type { CatalogService } from '../services/catalog/catalog.service.js';
import type { SqlClient } from '../services/database/sql.js';
import { ServiceError } from '../services/errors/service-error.js';
import { bindOperation, type BoundOperation } from '../services/planner/bound-operation.js';
import type { ClaimedOperation } from '../services/queue/operation-record.js';
import type { ClaimReader } from './claim.reader.js';
import { OperationFailedError } from './operation-failed.error.js';

type Binding = BoundOperation | IOperationError;

/**
 * Binds an operation to its table as it is now. It fails when the table, columns or key no longer exist. All operations
 * of a chunk are bound to the same reading of the catalog, because a plan with two versions of a table would be wrong.
 */
export class BindProcessor implements ItemProcessor<ClaimedOperation, BoundOperation, SqlClient> {
  private tx: SqlClient | undefined;
  private bindings = new Map<ClaimedOperation, Binding>();
  private boundAt = 0;
  private mustReadAnew = false;
  private hasReadAnew = false;

  constructor(
    private readonly catalog: CatalogService,
    private readonly reader: ClaimReader,
  ) {}

  process(operation: ClaimedOperation, { tx }: ItemContext<SqlClient>): Awaitable<BoundOperation> {
    if (this.tx === tx) return this.bindingOf(operation);
    return this.begin(tx).then(() => this.bindingOf(operation));
  }

  /** True when the tables were read from the catalog for this chunk. */
  get knowsTables(): boolean {
    return this.hasReadAnew || this.catalog.isNewerThan(this.boundAt);
  }

  /** The next chunk is bound to tables that are read for it. */
  readAnew(): void {
    this.mustReadAnew = true;
  }

  private async begin(tx: SqlClient): Promise<void> {
    this.boundAt = performance.now();
    this.hasReadAnew = this.mustReadAnew;
    this.mustReadAnew = false;
    // Other code in this process also uses the catalog. What it has read since the last attempt may not be new enough.
    if (this.hasReadAnew) this.catalog.invalidate();
    this.bindings = await this.bindAll(this.reader.claim?.operations ?? []);
    this.tx = tx;
  }

  private bindingOf(operation: ClaimedOperation): BoundOperation {
    const binding = this.bindings.get(operation);
    if (binding === undefined) throw new Error(`Operation ${operation.id} is not part of the claim`);
    if (isFailure(binding)) throw new OperationFailedError(binding);
    return binding;
  }

  private async bindAll(operations: readonly ClaimedOperation[]): Promise<Map<ClaimedOperation, Binding>> {
    const bindings = await this.bind(operations);
    const unfit = operations.filter((operation) => isUnfit(bindings.get(operation)!));
    if (unfit.length === 0) return bindings;
    // The operation was accepted, so the table may be newer than the remembered catalog.
    const changed = await this.catalog.forgetIfChanged(unfit.map(({ target }) => target));
    return changed ? this.bind(operations) : bindings;
  }

  private async bind(operations: readonly ClaimedOperation[]): Promise<Map<ClaimedOperation, Binding>> {
    const tables = await this.catalog.tables(operations.map(({ target }) => target));
    const bindings = new Map<ClaimedOperation, Binding>();
    for (const operation of operations) {
      const table = tables.get(operation.target)!;
      bindings.set(operation, table instanceof ServiceError ? gone(table) : bindOperation(operation, table));
    }
    return bindings;
  }
}

/** In PostgreSQL's words. */
function gone({ code, message }: ServiceError): IOperationError {
  return { code, message, ...(code === 'UNKNOWN_TARGET' && { sqlState: '42P01' }) };
}

const isFailure = (binding: Binding): binding is IOperationError => 'code' in binding;

/** There is a table, but the operation does not fit it. For a missing table the catalog has been read already. */
const isUnfit = (binding: Binding): boolean =>
  isFailure(binding) && binding.code !== 'UNKNOWN_TARGET' && binding.code !== 'TARGET_NOT_ALLOWED';
