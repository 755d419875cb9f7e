import type { ItemContext, ItemReader } from '../batch/item.js';
import type { SqlClient } from '../services/database/sql.js';
import type { ClaimedOperation } from '../services/queue/operation-record.js';
import type { ClaimScope } from '../services/queue/claim-scope.js';
import type { Claim, QueueService } from '../services/queue/queue.service.js';

/** Reads the operations of one claim, made in the chunk's transaction: a rollback leaves them in the queue. */
export class ClaimReader implements ItemReader<ClaimedOperation, SqlClient> {
  private tx: SqlClient | undefined;
  private next = 0;
  /** The claim of the latest transaction. */
  claim: Claim | undefined;

  constructor(
    private readonly queue: QueueService,
    private readonly scope: ClaimScope,
  ) {}

  /** The lanes of the claimed operations, one for each; none before the first claim of an attempt. */
  get claimedLanes(): number[] {
    return this.claim?.operations.map(({ lane }) => lane) ?? [];
  }

  /** What was claimed before is settled, or back in the queue. */
  forget(): void {
    this.claim = undefined;
  }

  async read({ tx }: ItemContext<SqlClient>): Promise<ClaimedOperation | null> {
    if (this.claim === undefined || this.tx !== tx) {
      this.tx = tx;
      this.next = 0;
      this.forget();
      this.claim = await this.queue.claim(tx, this.scope.at(Date.now()));
    }
    return this.claim.operations[this.next++] ?? null;
  }
}
