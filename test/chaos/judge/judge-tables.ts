import type { JsonRow } from '../../../src/interfaces/json.js';
import type { LedgerEntry } from '../ledger.js';
import { groupBy } from './group-by.js';
import type { Tables } from './observations.js';
import type { Violation } from './violation.js';

/**
 * Compares the target tables with what all operations of the ledger, each once and those of a stream in their order, leave behind.
 *
 * @param entries in the order in which they were handed over
 */
export function judgeTables(entries: readonly LedgerEntry[], tables: Tables): Violation[] {
  const of = (target: string) => entries.filter(({ request }) => request.target === target);
  return [
    ...judgeCounters(of('counters'), tables.counters),
    ...judgeHistory(of('history'), tables.history),
    ...judgeLast(of('latest'), tables.latest, 'latest'),
    ...judgeLast(of('profiles'), tables.profiles, 'profiles'),
    ...judgeRows(of('slots'), tables.slots, 'slots'),
    ...judgeRows(of('parents'), tables.parents, 'parents'),
    ...judgeRows(of('children'), tables.children, 'children'),
  ];
}

function judgeCounters(entries: readonly LedgerEntry[], rows: Tables['counters']): Violation[] {
  const found = new Map(rows.map((row) => [row.key, row]));
  return [...groupByKey(entries)].flatMap(([key, operations]) => {
    const hits = operations.length;
    const total = operations.reduce((sum, { request }) => sum + Number(request.values!.total), 0);
    const row = found.get(key) ?? { hits: 0, total: 0 };
    if (row.hits === hits && row.total === total) return [];
    const kind = row.hits > hits || (row.hits === hits && row.total > total) ? 'doubled' : 'lost';
    return [{ kind, what: `counters ${key}: ${row.hits} hits of ${row.total}, not ${hits} of ${total}` }];
  });
}

/** Every number once, and in the order in which they were handed over. */
function judgeHistory(entries: readonly LedgerEntry[], rows: Tables['history']): Violation[] {
  const written = groupBy(rows, ({ key }) => key);
  return [...groupByKey(entries)].flatMap(([key, operations]) => {
    const violations: Violation[] = [];
    const seen = new Set<number>();
    let last = 0;
    for (const { n } of written.get(key) ?? []) {
      if (seen.has(n)) violations.push({ kind: 'doubled', what: `history ${key}: ${n} was written again` });
      else if (n < last)
        violations.push({ kind: 'out of order', what: `history ${key}: ${n} was written after ${last}` });
      seen.add(n);
      last = Math.max(last, n);
    }
    for (const { request } of operations) {
      const n = Number(request.values!.n);
      if (!seen.has(n))
        violations.push({ kind: 'lost', what: `history ${key}: ${n} is missing, operation ${request.id}` });
    }
    return violations;
  });
}

/** A row that was written again and again holds what was written last. */
function judgeLast(entries: readonly LedgerEntry[], rows: Tables['latest'], table: string): Violation[] {
  const found = new Map(rows.map(({ key, n }) => [key, n]));
  return [...groupByKey(entries)].flatMap(([key, operations]) => {
    const last = Number(operations.at(-1)!.request.values!.n);
    const n = found.get(key);
    if (n === last) return [];
    const kind = n === undefined ? 'lost' : 'out of order';
    return [{ kind, what: `${table} ${key}: holds ${n}, not the last value ${last}` }];
  });
}

/** Rows that come and go: those are there whose last successful operation was an insert. */
function judgeRows(
  entries: readonly LedgerEntry[],
  rows: readonly { key: string; n?: number }[],
  table: string,
): Violation[] {
  const found = new Map(rows.map((row) => [row.key, row]));
  return [...groupByKey(entries)].flatMap(([key, operations]): Violation[] => {
    const last = operations.findLast(({ expected }) => expected === 'completed')?.request;
    const row = found.get(key);
    if (last?.operationType !== 'insert') {
      if (row === undefined) return [];
      return [{ kind: 'lost', what: `${table} ${key}: is there, though it was deleted last` }];
    }
    if (row === undefined) return [{ kind: 'lost', what: `${table} ${key}: is missing, operation ${last.id}` }];
    const n = last.values!.n as number | undefined;
    return row.n === n ? [] : [{ kind: 'out of order', what: `${table} ${key}: holds ${row.n}, not ${n}` }];
  });
}

function groupByKey(entries: readonly LedgerEntry[]): Map<string, LedgerEntry[]> {
  return groupBy(entries, ({ request: { key, values } }) => keyOf(key ?? values!));
}

function keyOf({ key }: JsonRow): string {
  return key as string;
}
