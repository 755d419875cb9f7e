import { seededRandom, type Random } from '../../test/support/random.js';
import { itemOf, type Item } from './items.js';
import { shuffled } from './shuffled.js';

export const MIXED_TABLES = Array.from({ length: 8 }, (_, index) => `item_${index + 1}`);

export type MixedOperation = { table: string } & (
  | { kind: 'insert' | 'upsert'; row: Item }
  | { kind: 'update'; row: Pick<Item, 'id' | 'a' | 'b'> }
  | { kind: 'increment'; row: Pick<Item, 'id' | 'b' | 'c'> }
  | { kind: 'delete'; row: Pick<Item, 'id'> }
);

export interface MixedLoad {
  operations: MixedOperation[];
  /** What each table holds before. */
  before: Map<string, Item[]>;
}

const SEED = 8_520;
const KINDS = ['insert', 'upsert', 'update', 'increment', 'delete'] as const;
type Kind = (typeof KINDS)[number];

/** Room for the keys of one table and kind: no two of them meet. */
const KEYS = 1_000_000;
const INCREMENTS_OF_A_KEY = 4;

/**
 * Five kinds on eight tables in equal shares, shuffled, the same in every run. Each row has operations of one kind, and
 * only one operation unless these are increments, which commute. So the end state does not depend on the order, and the
 * operations of a table and kind can be one set.
 */
export function mixedLoad(count: number): MixedLoad {
  const random = seededRandom(SEED);
  const operations: MixedOperation[] = [];
  const before = new Map(MIXED_TABLES.map((table): [string, Item[]] => [table, []]));
  const slots = KINDS.length * MIXED_TABLES.length;
  for (let index = 0; index < count; index += 1) {
    const slot = index % slots;
    const kind = KINDS[Math.floor(slot / MIXED_TABLES.length)]!;
    const table = MIXED_TABLES[slot % MIXED_TABLES.length]!;
    const number = Math.floor(index / slots);
    const id = slot * KEYS + 1 + (kind === 'increment' ? Math.floor(number / INCREMENTS_OF_A_KEY) : number);
    operations.push(operationOf(kind, table, id, random));
    if (existsBefore(kind, number)) before.get(table)!.push(itemOf(id));
  }
  return { operations: shuffled(operations, random), before };
}

function operationOf(kind: Kind, table: string, id: number, random: Random): MixedOperation {
  // Of another row, so that whatever is written differs from what was there.
  const values = itemOf(id + KEYS / 2);
  switch (kind) {
    case 'insert':
    case 'upsert':
      return { kind, table, row: { ...values, id } };
    case 'update':
      return { kind, table, row: { id, a: values.a, b: values.b } };
    case 'increment':
      return { kind, table, row: { id, b: random.integer(1, 100), c: `${random.integer(0, 99)}.25` } };
    case 'delete':
      return { kind, table, row: { id } };
  }
}

/** @param number among those of its table and kind */
function existsBefore(kind: Kind, number: number): boolean {
  switch (kind) {
    case 'insert':
      return false;
    case 'upsert':
      return number % 2 === 0;
    case 'increment':
      return number % INCREMENTS_OF_A_KEY === 0;
    case 'update':
    case 'delete':
      return true;
  }
}
