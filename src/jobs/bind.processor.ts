import type { ItemContext, ItemProcessor } from '../batch/item.js';
import type { IOperationError } from '../interfaces/operation.js';
import type { CatalogService } from '../services/catalog/catalog.service.js';
import type { SqlClient } from '../services/database/sql.js';
import { ServiceError } from '../services/errors/service-error.js';
import { bindOperation, type BoundOperation } from '../services/planner/bound-operation.js';
import type { ClaimedOperation } from '../services/queue/operation-record.js';
import { OperationFailedError } from './operation-failed.error.js';

/** Binds an operation to its table as it is now. It fails when table, columns or key have gone since it was accepted. */
export class BindProcessor implements ItemProcessor<ClaimedOperation, BoundOperation, SqlClient> {
  /** The transaction for which the catalog was read anew. */
  private refreshedFor: SqlClient | undefined;

  constructor(private readonly catalog: CatalogService) {}

  async process(operation: ClaimedOperation, { tx }: ItemContext<SqlClient>): Promise<BoundOperation> {
    let bound = await this.bind(operation);
    if ('code' in bound && this.refreshedFor !== tx) {
      // It was accepted, so the table may be newer than what is remembered of it here. Once a chunk is enough.
      this.refreshedFor = tx;
      this.catalog.invalidate();
      bound = await this.bind(operation);
    }
    if ('code' in bound) throw new OperationFailedError(bound);
    return bound;
  }

  private async bind(operation: ClaimedOperation): Promise<BoundOperation | IOperationError> {
    try {
      return bindOperation(operation, await this.catalog.table(operation.target));
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error;
      return { code: error.code, message: error.message };
    }
  }
}
