import { seededRandom } from '../../test/support/random.js';

/** A row of table `item`: some sixty bytes of data in six columns. */
export interface Item {
  id: number;
  a: string;
  b: number;
  /** A decimal, as text. */
  c: string;
  /** A time, as ISO 8601 text. */
  d: string;
  e: boolean;
}

const SEED = 20_240_229;
const FIRST_TIME = Date.UTC(2024, 1, 29);
const LETTERS = [...'abcdefghijklmnopqrstuvwxyz'];

export const createItemTable = (name = 'item'): string =>
  `create table ${name} (
    id int primary key, a text not null, b int not null, c numeric(12, 2) not null, d timestamptz not null, e boolean not null
  )`;

/** The row of this number, the same in every run. */
export function itemOf(id: number): Item {
  const random = seededRandom(SEED + id);
  const a = `item ${id} ${Array.from({ length: 16 }, () => random.pick(LETTERS)).join('')}`;
  const cents = random.integer(0, 99_999_999);
  return {
    id,
    a,
    b: random.integer(-1_000_000, 1_000_000),
    c: `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, '0')}`,
    d: new Date(FIRST_TIME + random.integer(0, 365 * 86_400_000)).toISOString(),
    e: random.next() < 0.5,
  };
}

export function items(count: number): Item[] {
  return Array.from({ length: count }, (_, index) => itemOf(index + 1));
}

/** At most `size` of them at a time. */
export function inChunks<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, index) =>
    all.slice(index * size, (index + 1) * size),
  );
}
