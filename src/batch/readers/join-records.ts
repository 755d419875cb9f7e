import type { Line } from './line-source.js';

/** The lines of one record of a delimited file. With a fault it is one line, which cannot be parsed. */
export interface FlatFileRecord {
  lines: readonly Line[];
  fault?: string;
}

export interface JoinOptions {
  quote: string | null;
  /** True when no more lines follow. */
  atEnd: boolean;
  maxBytes: number;
  /** Lines outside of quotes that mean nothing. */
  isLeftOut: (line: Line) => boolean;
  /** False when lines that seem to belong together make no record. */
  isRecord: (lines: readonly Line[]) => boolean;
}

/**
 * Puts lines together whose quoted values contain newlines: a record ends where its number of quotes is even. Where that makes no
 * record, its first line is broken, and the next record begins with the line after it.
 */
export function joinRecords(
  lines: readonly Line[],
  options: JoinOptions,
): { records: FlatFileRecord[]; /** Of a record that is not complete. */ kept: readonly Line[] } {
  const records: FlatFileRecord[] = [];
  const { atEnd, maxBytes, isLeftOut } = options;
  for (let at = 0; at < lines.length;) {
    const line = lines[at]!;
    if (isLeftOut(line)) {
      at += 1;
      continue;
    }
    if (line.isTooLong) {
      records.push({ lines: [line], fault: `is longer than ${maxBytes} bytes` });
      at += 1;
      continue;
    }
    const end = endOfRecord(lines, at, options);
    if (end === 'unknown' && !atEnd) return { records, kept: lines.slice(at) };
    const record = toRecord(lines, at, end, options);
    records.push(record);
    at += record.lines.length;
  }
  return { records, kept: [] };
}

function toRecord(
  lines: readonly Line[],
  at: number,
  end: number | 'unknown' | 'too long',
  { isRecord }: JoinOptions,
): FlatFileRecord {
  const first = lines.slice(at, at + 1);
  if (typeof end !== 'number') return { lines: first, fault: 'opens a quote that is not closed' };
  if (end === at + 1) return { lines: first };
  const several = lines.slice(at, end);
  return isRecord(several) ? { lines: several } : { lines: first, fault: 'has a quote at a wrong place' };
}

/** The index after the last line of the record that begins at `at`. */
function endOfRecord(
  lines: readonly Line[],
  at: number,
  { quote, maxBytes }: JoinOptions,
): number | 'unknown' | 'too long' {
  if (quote === null) return at + 1;
  const code = quote.charCodeAt(0);
  let isOpen = false;
  let bytes = 0;
  for (let index = at; index < lines.length; index += 1) {
    const line = lines[index]!;
    bytes += line.bytes.length;
    if (line.isTooLong || bytes > maxBytes) return 'too long';
    if (hasOddCount(line.bytes, code)) isOpen = !isOpen;
    if (!isOpen) return index + 1;
  }
  return 'unknown';
}

function hasOddCount(bytes: Buffer, code: number): boolean {
  let isOdd = false;
  for (let at = bytes.indexOf(code); at !== -1; at = bytes.indexOf(code, at + 1)) isOdd = !isOdd;
  return isOdd;
}
