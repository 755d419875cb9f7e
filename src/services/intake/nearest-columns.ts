import type { Table } from '../catalog/table.js';
import { nearestName } from '../errors/nearest-name.js';

const MAX_NAME_LENGTH = 63;
const MAX_NAMES_SOUGHT = 20;

/**
 * The columns that were probably meant by the unknown names of one request. A request may name ten thousand of them, and
 * each is compared with all columns of its table: only the first few different ones are sought, for the others and for
 * everybody else's requests would have to wait.
 */
export class NearestColumns {
  private readonly sought = new Map<string, string | undefined>();

  nearest(table: Table, wanted: string): string | undefined {
    // Longer than any identifier of PostgreSQL.
    if (wanted.length > MAX_NAME_LENGTH) return undefined;
    const search = JSON.stringify([table.id, wanted]);
    if (!this.sought.has(search) && this.sought.size < MAX_NAMES_SOUGHT) {
      this.sought.set(search, nearestName(wanted, table.columns.keys()));
    }
    return this.sought.get(search);
  }
}
