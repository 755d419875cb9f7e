import { createHash } from 'node:crypto';
import { isolate } from '../../batch/chunk/isolate.js';
import { inSavepoint } from '../../batch/sql/in-savepoint.js';
import type { SqlClient } from '../../interfaces/sql.js';
import { classifyFailure } from '../database/classify-failure.js';
import { classifyForIsolation } from '../database/classify-for-isolation.js';
import type { BoundOperation } from '../planner/bound-operation.js';
import { namedRows } from './named-rows.js';
import { hashValues, type HashRow, type KeySource, type KeyValues } from './row-keys.sql.js';

/** For each operation, the keys of its rows: 64-bit numbers as texts, equal for equal values of the same unique key. */
export type RowKeys = ReadonlyMap<BoundOperation, readonly string[]>;

interface Source extends KeySource {
  rows: KeyValues[];
}

/**
 * Asks PostgreSQL with one statement for the row keys of operations. Operations on the same row share a key. Two
 * different rows share one only if two hashes of 64 bits are equal by chance. A value that is not valid for its type
 * names no row, because its operation fails. If a type cannot be hashed, all its values count as equal. The transaction
 * stays usable.
 */
export async function readRowKeys(tx: SqlClient, operations: readonly BoundOperation[]): Promise<RowKeys> {
  const owners: BoundOperation[] = [];
  const sources = new Map<string, Source>();
  for (const operation of operations) {
    for (const { key, columns, stored, texts } of namedRows(operation)) {
      const id = `${stored} ${key}`;
      const source = sources.get(id) ?? { key, columns, stored, rows: [] };
      sources.set(id, source);
      source.rows.push({ ord: owners.push(operation) - 1, texts });
    }
  }
  const keys = new Map<BoundOperation, string[]>(operations.map((operation) => [operation, []]));
  for (const { ord, hash } of await hashAll(tx, [...sources.values()])) keys.get(owners[ord]!)!.push(hash);
  return keys;
}

async function hashAll(tx: SqlClient, sources: readonly Source[]): Promise<HashRow[]> {
  if (sources.length === 0) return [];
  try {
    return await hashInSavepoint(tx, sources);
  } catch (error) {
    const kind = classifyFailure(error);
    if (kind === 'transient' || kind === 'bug') throw error;
  }
  const hashes: HashRow[] = [];
  for (const source of sources) hashes.push(...(await hashCarefully(tx, source)));
  return hashes;
}

async function hashCarefully(tx: SqlClient, { rows: all, ...source }: Source): Promise<HashRow[]> {
  // Only hashing a row shows whether a type can be hashed.
  const sample: KeyValues = { ord: -1, texts: [] };
  const hashes = await isolate<KeyValues, HashRow[]>(all, {
    attempt: async (rows) => {
      const found = await hashInSavepoint(tx, [{ ...source, rows: rows.length > 0 ? rows : [sample] }]);
      const byOrd = new Map(found.map((row) => [row.ord, row]));
      return rows.map(({ ord }) => [byOrd.get(ord)!]);
    },
    blame: classifyForIsolation,
    failure: ({ ord }, error) =>
      classifyFailure(error) === 'systemic' ? [{ ord, hash: hashOfAllValues(source.key) }] : [],
  });
  return hashes.flat();
}

function hashOfAllValues(key: string): string {
  return createHash('sha256').update(key).digest().readBigInt64BE().toString();
}

async function hashInSavepoint(
  tx: SqlClient,
  sources: readonly (KeySource & { rows: readonly KeyValues[] })[],
): Promise<HashRow[]> {
  const { rows } = await inSavepoint(tx, 'row_keys', () => tx.query<HashRow>(hashValues(sources)));
  return rows;
}
