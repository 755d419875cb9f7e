import { add, EMPTY, percent, type Tally } from './tally.js';
import { thousands } from './progress.js';

export interface ProfileLine {
  profile: string;
  tally: Tally;
  divergences: number;
}

const HEADINGS = [
  'profile',
  'operations',
  'sequences',
  'passed over',
  'groups',
  'per group',
  'folded',
  'failed',
  'no-ops',
  'fallbacks',
  'divergences',
];

/** A line for each profile and one for all. */
export function reportProfiles(lines: readonly ProfileLine[]): string {
  const all = lines.reduce<ProfileLine>(
    (sum, { tally, divergences }) => ({
      profile: 'all',
      tally: add(sum.tally, tally),
      divergences: sum.divergences + divergences,
    }),
    { profile: 'all', tally: EMPTY, divergences: 0 },
  );
  return table([HEADINGS, ...[...lines, all].map(cellsOf)]);
}

function cellsOf({ profile, tally, divergences }: ProfileLine): string[] {
  return [
    profile,
    thousands(tally.operations),
    thousands(tally.sequences),
    thousands(tally.passedOver),
    thousands(tally.groups),
    (tally.operations / tally.groups).toFixed(2),
    percent(tally.folded / tally.operations),
    percent(tally.failed / tally.operations),
    percent(tally.idle / tally.operations),
    thousands(tally.fallbacks),
    String(divergences),
  ];
}

/** Aligns columns: the first to the left, numbers to the right. `left` columns after the first are texts too. */
export function table(rows: readonly (readonly string[])[], left: readonly number[] = [0]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => (left.includes(column) ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
