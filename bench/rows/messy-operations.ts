import { seededRandom, type Random } from '../../test/support/random.js';
import { itemOf, type Item } from './items.js';
import { MIXED_TABLES } from './mixed-operations.js';
import { shuffled } from './shuffled.js';

/** A row of a table that refers to the table before it. */
export type MessyRow = Partial<Item> & { id: number; parent_id?: number | null };

export interface MessyOperation {
  kind: 'insert' | 'upsert' | 'update' | 'increment' | 'delete';
  table: string;
  row: MessyRow;
  /** Why PostgreSQL refuses it. Absent for a good one. */
  fault?: Fault;
}

export interface MessyLoad {
  operations: MessyOperation[];
  /** What each table holds before. */
  before: Map<string, MessyRow[]>;
}

const FAULTS = ['duplicate key', 'missing parent', 'null', 'check', 'too long', 'out of range', 'no time'] as const;
type Fault = (typeof FAULTS)[number] | 'still referenced';

const SEED = 3_311;
const KINDS = ['insert', 'upsert', 'update', 'increment', 'delete'] as const;
/** Rows 1 to this number are in each table before. They have children, and nothing else is done with them. */
const PARENTS = 1000;
/** Room for the keys of one table and kind: no two of them meet. */
const KEYS = 1_000_000;

/** Tables in which each row may refer to a row of the table before. */
export const createMessyTable = (table: string, parent: string | undefined): string =>
  `create table ${table} (
    id int primary key, a varchar(60) not null, b int not null check (b >= 0), c numeric(12, 2) not null, d timestamptz not null,
    e boolean not null, parent_id int ${parent === undefined ? '' : `references ${parent}`}
  )`;

/**
 * Five kinds on eight tables in equal shares, shuffled, the same in every run. A share of them is refused, for seven reasons that
 * come at random. The good ones do not meet, so there is one end state.
 *
 * @param bad from 0 to 1
 */
export function messyLoad(count: number, bad: number): MessyLoad {
  const random = seededRandom(SEED);
  const before = new Map(
    MIXED_TABLES.map((table): [string, MessyRow[]] => [
      table,
      Array.from({ length: PARENTS }, (_, n) => parent(n + 1)),
    ]),
  );
  const slots = KINDS.length * MIXED_TABLES.length;
  const operations = Array.from({ length: count }, (_, index): MessyOperation => {
    const slot = index % slots;
    const kind = KINDS[Math.floor(slot / MIXED_TABLES.length)]!;
    const table = MIXED_TABLES[slot % MIXED_TABLES.length]!;
    const number = Math.floor(index / slots);
    const id = (slot + 1) * KEYS + number;
    if (kind !== 'insert' && (kind !== 'upsert' || number % 2 === 0)) before.get(table)!.push(rowOf(id, random));
    const good = { kind, table, row: valuesOf(kind, id, random) };
    return random.next() < bad ? spoiled(good, random) : good;
  });
  return { operations: shuffled(operations, random), before };
}

const parent = (id: number): MessyRow => ({ ...rowOf(id, seededRandom(id)), parent_id: id });

function rowOf(id: number, random: Random): MessyRow {
  const { a, b, c, d, e } = itemOf(id);
  return { id, a, b: Math.abs(b), c, d, e, parent_id: random.integer(1, PARENTS) };
}

function valuesOf(kind: MessyOperation['kind'], id: number, random: Random): MessyRow {
  const { a, b, c, d, e, parent_id } = rowOf(id + KEYS / 2, random);
  switch (kind) {
    case 'insert':
    case 'upsert':
      return { id, a, b, c, d, e, parent_id };
    case 'update':
      return { id, a, b, c, d, parent_id };
    case 'increment':
      return { id, b: random.integer(1, 100), c: `${random.integer(0, 99)}.25` };
    case 'delete':
      return { id };
  }
}

function spoiled(good: MessyOperation, random: Random): MessyOperation {
  const { kind, table, row } = good;
  const isFirst = table === MIXED_TABLES[0];
  const isLast = table === MIXED_TABLES.at(-1);
  // Nothing refers to the last table, and the first one refers to nothing.
  if (kind === 'delete') {
    return isLast ? good : { ...good, row: { id: random.integer(1, PARENTS) }, fault: 'still referenced' };
  }
  if (kind === 'increment') {
    return random.next() < 0.5
      ? { ...good, row: { ...row, b: -1_000_000_000 }, fault: 'check' }
      : { ...good, row: { ...row, c: '99999999999.00' }, fault: 'out of range' };
  }
  const fault = random.pick(FAULTS);
  switch (fault) {
    case 'duplicate key':
      return kind === 'insert'
        ? { ...good, row: { ...row, id: random.integer(1, PARENTS) }, fault }
        : spoiled(good, random);
    case 'missing parent':
      return isFirst ? spoiled(good, random) : { ...good, row: { ...row, parent_id: -1 }, fault };
    case 'null':
      return { kind, table, row: { ...row, a: null as unknown as string }, fault };
    case 'check':
      return { ...good, row: { ...row, b: -1 }, fault };
    case 'too long':
      return { ...good, row: { ...row, a: 'x'.repeat(61) }, fault };
    case 'out of range':
      return { ...good, row: { ...row, c: '99999999999.00' }, fault };
    case 'no time':
      return { ...good, row: { ...row, d: 'no time' }, fault };
  }
}

/** The plain statement of one operation. */
export function applyOneMessy({ kind, table, row }: MessyOperation): { name: string; text: string; values: unknown[] } {
  const { id, ...others } = row;
  const columns = Object.keys(others);
  const values = [id, ...Object.values(others)];
  const name = `${kind}_${table}`;
  const assigned = (value: (column: string, place: number) => string): string =>
    columns.map((column, index) => `${column} = ${value(column, index + 2)}`).join(', ');
  const inserted = `insert into ${table} (id, ${columns.join(', ')}) values (${values.map((_, n) => `$${n + 1}`).join(', ')})`;
  switch (kind) {
    case 'insert':
      return { name, text: inserted, values };
    case 'upsert':
      return {
        name,
        text: `${inserted} on conflict (id) do update set ${assigned((column) => `excluded.${column}`)}`,
        values,
      };
    case 'update':
      return { name, text: `update ${table} set ${assigned((_, place) => `$${place}`)} where id = $1`, values };
    case 'increment':
      return {
        name,
        text: `update ${table} set ${assigned((column, place) => `${column} + $${place}`)} where id = $1`,
        values,
      };
    case 'delete':
      return { name, text: `delete from ${table} where id = $1`, values: [id] };
  }
}
