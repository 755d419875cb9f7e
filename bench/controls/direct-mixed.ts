import type { Contestant } from '../contest/contest.js';
import { openClient } from '../stage/connections.js';
import { inChunks } from '../rows/items.js';
import type { MixedOperation } from '../rows/mixed-operations.js';
import { applySet } from '../rows/mixed-sets.sql.js';
import { makeMixedTables } from '../rows/mixed-tables.js';
import { SET_SIZE } from './direct.js';

/**
 * The limit for mixed operations: it knows all of them in advance, and that their order does not matter. It writes one
 * set of each table and kind after the other, each a transaction. Sorting them into sets is a part of the work.
 */
export const directMixed: Contestant = {
  name: 'direct',
  async open({ database, admin, scale }) {
    const tables = await makeMixedTables(admin, scale.operations);
    const client = await openClient(database);
    return {
      processes: [],
      prepare: () => tables.restore(),
      async run() {
        for (const set of inSets(tables.operations)) await client.query(applySet(set));
      },
      verify: () => tables.verify(),
      close: () => client.end(),
    };
  },
};

function inSets(operations: readonly MixedOperation[]): MixedOperation[][] {
  const sets = new Map<string, MixedOperation[]>();
  for (const operation of operations) {
    const name = `${operation.kind} ${operation.table}`;
    const set = sets.get(name);
    if (set === undefined) sets.set(name, [operation]);
    else set.push(operation);
  }
  return [...sets.values()].flatMap((set) => inChunks(set, SET_SIZE));
}
