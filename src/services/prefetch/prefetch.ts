import { isolate } from '../../batch/chunk/isolate.js';
import { parseTargetName, tableSql } from '../catalog/target-name.js';
import { UNKNOWN_SEQUENCE } from '../catalog/table.js';
import { inSavepoint } from '../../batch/sql/in-savepoint.js';
import { sendAlong } from '../../batch/sql/send-along.js';
import type { SqlClient } from '../../interfaces/sql.js';
import { classifyForIsolation } from '../database/classify-for-isolation.js';
import { walkAsUsual, walkInOrder } from '../database/walk-in-order.js';
import type { BoundOperation } from '../planner/bound-operation.js';
import { drawnColumns } from '../planner/operation-shape.js';
import { EMPTY_READ_SET, rankKey, type PrefetchedRows, type ReadSet } from '../planner/read-set.js';
import { chooseSearches, type Search } from './choose-searches.js';
import { familiesOf, type Family } from './rank-values.js';
import {
  rankValues,
  selectLastValues,
  selectRows,
  type FamilyValue,
  type SequenceRow,
  type RankRow,
  type PrefetchedRow,
} from './prefetch.sql.js';

export interface PrefetchOptions {
  /**
   * False: only read, as for an explanation. Default true: rows that were read stay locked until the transaction ends.
   */
  lock?: boolean;
}

/**
 * Reads what the planner has to know before anything is changed: rows that give up values or references, the last
 * values of sequences, and which values PostgreSQL treats as equal. The transaction stays usable. What the service may
 * not read, and a value that is not valid for its type, stay unknown. The plan is then still correct, with more groups.
 */
export async function prefetch(
  tx: SqlClient,
  operations: readonly BoundOperation[],
  { lock = true }: PrefetchOptions = {},
): Promise<ReadSet> {
  if (operations.length < 2) return EMPTY_READ_SET;
  const reader = new PrefetchReader(tx, lock);
  const { tables, sequenceLastValues } = await reader.look(chooseSearches(operations), sequencesOf(operations));
  return { tables, sequenceLastValues, ranks: await reader.rank(familiesOf(operations, tables)) };
}

/** The sequences from which the inserts of a chunk draw keys. */
function sequencesOf(operations: readonly BoundOperation[]): string[] {
  const drawn = new Set(operations.flatMap((operation) => drawnColumns(operation)));
  const sequences = [...drawn].flatMap((column) => (column.default === 'generated' ? column.sequences : []));
  return [...new Set(sequences)].filter((sequence) => sequence !== UNKNOWN_SEQUENCE);
}

type Key = readonly (string | null)[];
type LastValues = ReadonlyMap<string, bigint>;

class PrefetchReader {
  constructor(
    private readonly tx: SqlClient,
    private readonly lock: boolean,
  ) {}

  /** Reads everything at once. If a part fails, reads one part after the other. */
  async look(
    searches: readonly Search[],
    sequences: readonly string[],
  ): Promise<{ tables: ReadonlyMap<string, PrefetchedRows>; sequenceLastValues: LastValues }> {
    if (searches.length === 0 && sequences.length === 0) return { tables: new Map(), sequenceLastValues: new Map() };
    const together = await this.unlessRefused<LastValues | Found>([
      () => this.lastValues(sequences),
      ...searches.map((search) => () => this.search(search, [...search.keys.values()])),
    ]);
    if (together !== undefined) {
      const [lastValues, ...found] = together;
      return { tables: toTables(searches, found as Found[]), sequenceLastValues: lastValues as LastValues };
    }
    const found: Found[] = [];
    for (const search of searches) found.push(await this.searchCarefully(search));
    const [sequenceLastValues = new Map<string, bigint>()] =
      (await this.unlessRefused([() => this.lastValues(sequences)])) ?? [];
    return { tables: toTables(searches, found), sequenceLastValues };
  }

  /** Equal values of each family get the same number. A value that is not valid for its type gets no number. */
  async rank(families: readonly Family[]): Promise<Map<string, ReadonlyMap<string, number>>> {
    const ranks = new Map<string, ReadonlyMap<string, number>>();
    for (const family of families) ranks.set(family.name, await this.rankFamily(family));
    return ranks;
  }

  private async search(search: Search, keys: readonly Key[]): Promise<Found> {
    const { rows } = await this.tx.query<PrefetchedRow>(selectRows(search, keys, this.lock));
    return {
      searched: keys.map((key) => JSON.stringify(key)),
      rows: rows.map((row) => search.columns.map((_, index) => row[`c${index}`] ?? null)),
    };
  }

  /** Keys that are not valid for their types, and tables that may not be read, count as not searched. */
  private async searchCarefully(search: Search): Promise<Found> {
    const parts = await isolate<Key, Found>([...search.keys.values()], {
      attempt: async (keys) => {
        const [found] = await this.inSavepoint([() => this.search(search, keys)]);
        return keys.map((_, index) => (index === 0 ? found! : NOTHING_FOUND));
      },
      blame: classifyForIsolation,
      failure: () => NOTHING_FOUND,
    });
    return { searched: parts.flatMap(({ searched }) => searched), rows: parts.flatMap(({ rows }) => rows) };
  }

  private async lastValues(sequences: readonly string[]): Promise<LastValues> {
    if (sequences.length === 0) return new Map();
    const named = sequences.map((id) => ({ id, sql: tableSql(parseTargetName(id)!) }));
    const { rows } = await this.tx.query<SequenceRow>(selectLastValues(named));
    return new Map(rows.map(({ sequence, lastValue }) => [sequence, BigInt(lastValue)]));
  }

  private async rankFamily({ type, values }: Family): Promise<ReadonlyMap<string, number>> {
    const all = [...values.values()];
    let ranks: ReadonlyMap<string, number> = new Map();
    const castable = await isolate<FamilyValue, FamilyValue[]>(all, {
      attempt: async (some) => {
        ranks = await this.rankAll(type, some);
        return some.map((value) => [value]);
      },
      blame: classifyForIsolation,
      failure: () => [],
    });
    const left = castable.flat();
    return left.length === ranks.size ? ranks : this.rankAll(type, left);
  }

  private async rankAll(type: Family['type'], values: readonly FamilyValue[]): Promise<ReadonlyMap<string, number>> {
    if (values.length === 0) return new Map();
    const [ranked] = await this.inSavepoint([async () => this.tx.query<RankRow>(rankValues(type, values))]);
    return new Map(ranked!.rows.map(({ ord, rank }) => [rankKey(values[ord]!.text, values[ord]!.storedType), rank]));
  }

  /** Undefined when a query fails because of what it asks for. */
  private async unlessRefused<T>(queries: readonly (() => Promise<T>)[]): Promise<T[] | undefined> {
    try {
      return await this.inSavepoint(queries);
    } catch (error) {
      if (classifyForIsolation(error) === 'abort') throw error;
      return undefined;
    }
  }

  /** Sends all of them in one round trip. If one fails, the transaction is as before, and the first error is thrown. */
  private inSavepoint<T>(queries: readonly (() => Promise<T>)[]): Promise<T[]> {
    return inSavepoint(this.tx, 'prefetch', () => {
      // The plan of a search may be kept from a time when the table was empty. It must use an index all the same.
      sendAlong(this.tx, walkInOrder());
      const found = Promise.all(queries.map((query) => query()));
      sendAlong(this.tx, walkAsUsual());
      return found;
    });
  }
}

/** The result of one search. */
interface Found {
  searched: readonly string[];
  rows: readonly (readonly (string | null)[])[];
}

const NOTHING_FOUND: Found = { searched: [], rows: [] };

function toTables(searches: readonly Search[], found: readonly Found[]): Map<string, PrefetchedRows> {
  const tables = new Map<string, PrefetchedRows>();
  searches.forEach(({ table, name, columns }, index) => {
    const { searched, rows } = found[index]!;
    const before = tables.get(table.id);
    tables.set(table.id, {
      columns,
      searched: new Map([...(before?.searched ?? []), [name, new Set(searched)]]),
      rows: [...(before?.rows ?? []), ...rows],
    });
  });
  return tables;
}
