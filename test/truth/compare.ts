import type { Comparison, Run } from '../support/serial-oracle.js';

/** The first thing in which the two runs differ, in words; undefined when they agree. */
export function differenceOf({ grouped, serial }: Comparison): string | undefined {
  const operation = serial.verdicts.findIndex((verdict, index) => verdict !== grouped.verdicts[index]);
  if (operation >= 0) {
    return `operation ${operation + 1}: ${grouped.verdicts[operation]} grouped, ${serial.verdicts[operation]} alone`;
  }
  const table = Object.keys(serial.dump).find((name) => !sameRows(serial.dump[name]!, grouped.dump[name]!));
  if (table === undefined) return undefined;
  return `table ${table}: ${rows(grouped, table)} grouped, ${rows(serial, table)} one by one`;
}

/** Something drawn from a sequence may have been drawn anew: see `Profile.draws`. */
export function mayHaveDrawnAgain(serial: Run): boolean {
  return serial.execution.outcomes.some(
    (outcome) => outcome.status === 'failed' && outcome.error.sqlState !== undefined,
  );
}

function sameRows(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((row, index) => row === other[index]);
}

const rows = ({ dump }: Run, table: string): string => dump[table]!.join(' ') || 'no rows';
