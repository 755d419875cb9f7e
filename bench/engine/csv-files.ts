import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { seededRandom } from '../../test/support/random.js';
import type { Item } from '../rows/items.js';

/** A value of column `b` that the table's constraint refuses. */
export const REFUSED_B = -2_000_000;

const HEADER = 'id,a,b,c,d,e\n';
const LINES_PER_WRITE = 1000;
const SEED = 46;

/** Ids of bad rows: one at a random place of every `every` rows. With 1000, each chunk of a thousand has one. */
export function badIds(rows: number, every: number): number[] {
  const random = seededRandom(SEED);
  return Array.from({ length: Math.floor(rows / every) }, (_, block) => block * every + random.integer(1, every));
}

/** Writes the rows as CSV with a header. Rows with a bad id get a value that the table refuses. */
export async function writeCsv(path: string, rows: readonly Item[], bad: readonly number[]): Promise<void> {
  const isBad = new Set(bad);
  await pipeline(Readable.from(textOf(rows, isBad)), createWriteStream(path));
}

function* textOf(rows: readonly Item[], isBad: ReadonlySet<number>): Generator<string> {
  yield HEADER;
  for (let at = 0; at < rows.length; at += LINES_PER_WRITE) {
    const some = rows.slice(at, at + LINES_PER_WRITE);
    yield some.map((row) => lineOf(row, isBad.has(row.id) ? REFUSED_B : row.b)).join('');
  }
}

const lineOf = ({ id, a, c, d, e }: Item, b: number): string => `${id},${a},${b},${c},${d},${e}\n`;
