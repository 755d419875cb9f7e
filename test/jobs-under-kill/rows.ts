import { seededRandom } from '../support/random.js';

/** What becomes of a row. */
export type Fate = 'written' | 'filtered' | 'read skip' | 'process skip' | 'write skip';

/** One line of the file, or one row of the table that is read. */
export interface SourceRow {
  /** Its number, from 1. */
  line: number;
  amount: string;
  code: string | null;
  note: string;
  fate: Fate;
  /** The line as the file has it. */
  text: string;
}

export interface SourceOptions {
  count: number;
  seed: number;
  /** 0 to 1: the share of rows that are not written. */
  badShare: number;
}

/** The code of a row that is in the target table from the beginning. The column is unique. */
export const TAKEN_CODE = 'taken';

type Fault = Pick<SourceRow, 'fate'> & Partial<SourceRow>;

const FAULTS: readonly Fault[] = [
  { fate: 'read skip', text: 'one,two' },
  { fate: 'read skip', text: '1,"a"b,good' },
  { fate: 'process skip', note: 'unwanted' },
  { fate: 'filtered', note: 'nothing' },
  { fate: 'write skip', amount: '-1' },
  { fate: 'write skip', amount: 'many' },
  { fate: 'write skip', code: TAKEN_CODE },
  { fate: 'write skip', amount: '-2', code: TAKEN_CODE },
];

/** The same rows for the same options. */
export function makeRows({ count, seed, badShare }: SourceOptions, isFile: boolean): SourceRow[] {
  const random = seededRandom(seed);
  // Nothing of a table is unparsable.
  const faults = FAULTS.filter(({ fate }) => isFile || fate !== 'read skip');
  return Array.from({ length: count }, (_, index) => {
    const good = { line: index + 1, amount: String(random.integer(0, 9999)), code: null, note: 'good' };
    const fault = random.next() < badShare ? random.pick(faults) : { fate: 'written' as const };
    const row = { ...good, text: '', ...fault };
    return { ...row, text: row.text === '' ? `${row.amount},${row.code ?? ''},${row.note}` : row.text };
  });
}

export interface Expected {
  readCount: number;
  writeCount: number;
  filterCount: number;
  readSkipCount: number;
  processSkipCount: number;
  writeSkipCount: number;
  commitCount: number;
}

/** The counters of an execution that nobody interrupts. */
export function expectedCounters(rows: readonly SourceRow[], chunkSize: number): Expected {
  const of = (fate: Fate): number => rows.filter((row) => row.fate === fate).length;
  const readSkipCount = of('read skip');
  return {
    readCount: rows.length - readSkipCount,
    writeCount: of('written'),
    filterCount: of('filtered'),
    readSkipCount,
    processSkipCount: of('process skip'),
    writeSkipCount: of('write skip'),
    commitCount: commitsOf(rows, chunkSize),
  };
}

/** A chunk is full when it has `chunkSize` items; what cannot be read fills no place. */
function commitsOf(rows: readonly SourceRow[], chunkSize: number): number {
  let commits = 0;
  let [items, skips] = [0, 0];
  for (const { fate } of rows) {
    if (fate === 'read skip') skips += 1;
    else items += 1;
    if (items < chunkSize) continue;
    commits += 1;
    [items, skips] = [0, 0];
  }
  return items + skips > 0 ? commits + 1 : commits;
}
