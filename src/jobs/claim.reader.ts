import type { Awaitable, ItemContext, ItemReader } from '../batch/item.js';
import type { SqlClient } from '../services/database/sql.js';
import type { ClaimedOperation } from '../services/queue/operation-record.js';
import type { Scope } from '../services/queue/claim-scope.js';
import type { Claim, ClaimService } from '../services/queue/claim.service.js';

/**
 * Reads the operations of one claim that is made in the chunk's transaction, so a rollback leaves them in the queue.
 */
export class ClaimReader implements ItemReader<ClaimedOperation, SqlClient> {
  private tx: SqlClient | undefined;
  private next = 0;
  /** The claim of the latest transaction. */
  claim: Claim | undefined;

  constructor(
    private readonly claims: ClaimService,
    private readonly scope: () => Scope,
  ) {}

  /** Earlier claims are settled, or back in the queue. */
  forget(): void {
    this.claim = undefined;
  }

  read({ tx }: ItemContext<SqlClient>): Awaitable<ClaimedOperation | null> {
    if (this.claim !== undefined && this.tx === tx) return this.nextOf(this.claim);
    return this.begin(tx).then((claim) => this.nextOf(claim));
  }

  private async begin(tx: SqlClient): Promise<Claim> {
    this.tx = tx;
    this.next = 0;
    this.forget();
    this.claim = await this.claims.claim(tx, this.scope());
    return this.claim;
  }

  private nextOf({ operations }: Claim): ClaimedOperation | null {
    return operations[this.next++] ?? null;
  }
}
