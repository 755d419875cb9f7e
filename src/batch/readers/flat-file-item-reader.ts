import type * as CsvParse from 'csv-parse/sync';
import { BatchError } from '../model/batch-error.js';
import type { ExecutionContext } from '../model/execution-context.js';
import { optionalPackage } from '../optional-package.js';
import { joinRecords, type FlatFileRecord } from './join-records.js';
import type { Line } from './line-source.js';
import { LineItemReader, type LineItemReaderOptions, type LineResult } from './line-item-reader.js';
import { FlatFileParseError } from './resource-errors.js';

export interface FlatFileItemReaderOptions<Column extends string, T> extends LineItemReaderOptions {
  /** Default: a comma. */
  delimiter?: string;
  /** One ASCII character, which is doubled within a value; null: values are never quoted. Default: `"`. */
  quote?: string | null;
  /** Names in the order of the columns; true: the first line after `linesToSkip` names them. */
  columns: readonly Column[] | true;
  /** Lines at the beginning of the file. Default: 0. */
  linesToSkip?: number;
  /** Lines that begin so are left out. */
  commentPrefix?: string;
  /** True: each line has as many values as there are columns. False: what is missing is empty, what is more is left out. Default: true. */
  strict?: boolean;
  /** Makes the item. Default: the row itself. What it throws is a `FlatFileParseError` of that line. */
  map?: (row: Record<Column, string>, lineNumber: number) => T;
}

/**
 * Reads a delimited file, such as CSV. Values in quotes may contain newlines. Empty lines are left out. A broken line costs itself
 * only, also when its quote is not closed: the next `read` goes on with the line after it.
 */
export class FlatFileItemReader<Column extends string = string, T = Record<Column, string>> extends LineItemReader<
  NoInfer<T>
> {
  private names: readonly string[] | undefined;
  private kept: readonly Line[] = [];
  private csv: typeof CsvParse | undefined;

  constructor(private readonly options: FlatFileItemReaderOptions<Column, T>) {
    super(options);
  }

  /** @throws BatchError RESOURCE_NOT_FOUND, RESOURCE_CHANGED, FLAT_FILE_HEADER_INVALID, PACKAGE_MISSING */
  override async open(context: ExecutionContext): Promise<void> {
    this.csv = await optionalPackage('csv-parse', 'FlatFileItemReader', () => import('csv-parse/sync'));
    const { columns } = this.options;
    // A restart begins behind the header.
    this.names = columns === true ? context.get<readonly string[]>('columns') : columns;
    this.kept = [];
    await super.open(context);
    // A header that cannot be read fails the step, whatever the step skips.
    if (this.names === undefined) await this.fill();
  }

  override update(context: ExecutionContext): void {
    super.update(context);
    if (this.options.columns === true && this.names !== undefined) context.put('columns', this.names);
  }

  protected interpret(lines: readonly Line[], atEnd: boolean): LineResult<T>[] {
    const { quote = '"', linesToSkip = 0, commentPrefix = '' } = this.options;
    const { records, kept } = joinRecords([...this.kept, ...lines], {
      quote,
      atEnd,
      maxBytes: this.maxItemBytes,
      isLeftOut: ({ bytes, number }) =>
        number <= linesToSkip ||
        bytes.length === 0 ||
        (commentPrefix !== '' && bytes.toString('latin1', 0, 100).startsWith(latin1(commentPrefix))),
      isRecord: (several) => this.parse(this.textOf(several)) !== undefined,
    });
    this.kept = kept;
    return this.toResults(records);
  }

  private toResults(records: readonly FlatFileRecord[]): LineResult<T>[] {
    if (records.length === 0) return [];
    const rest = this.names === undefined ? this.readHeader(records) : records;
    const rows = this.parseTogether(rest);
    return rest.map((record, index) => ({ last: record.lines.at(-1)!, result: this.toItem(record, rows?.[index]) }));
  }

  private readHeader([header, ...rest]: readonly FlatFileRecord[]): readonly FlatFileRecord[] {
    const names = header!.fault === undefined ? this.parse(this.textOf(header!.lines)) : undefined;
    const twice = names?.find((name, index) => names.indexOf(name) !== index);
    if (names === undefined || twice !== undefined) {
      const fault = twice === undefined ? 'cannot be read' : `names the column "${twice}" twice`;
      const line = `Line ${header!.lines[0]!.number} of "${this.resource}"`;
      throw new BatchError('FLAT_FILE_HEADER_INVALID', `${line} names the columns, and ${fault}`);
    }
    this.names = names;
    this.passed(header!.lines.at(-1)!);
    return rest;
  }

  /** One call for many records is many times quicker. Undefined when one of them is broken. */
  private parseTogether(records: readonly FlatFileRecord[]): string[][] | undefined {
    if (records.some(({ fault }) => fault !== undefined)) return undefined;
    try {
      const rows = this.parseRecords(records.map(({ lines }) => this.textOf(lines)).join('\n'));
      return rows.length === records.length ? rows : undefined;
    } catch {
      return undefined;
    }
  }

  private toItem({ lines, fault }: FlatFileRecord, parsed: string[] | undefined): LineResult<T>['result'] {
    if (fault !== undefined) return { error: this.error(lines, fault) };
    try {
      const values = parsed ?? this.parseRecords(this.textOf(lines))[0] ?? [];
      const names = this.names!;
      const { strict = true, map } = this.options;
      if (strict && values.length !== names.length) {
        return {
          error: this.error(
            lines,
            `has ${values.length} ${values.length === 1 ? 'value' : 'values'} instead of ${names.length}`,
          ),
        };
      }
      const row = Object.fromEntries(names.map((name, index) => [name, values[index] ?? ''])) as Record<Column, string>;
      return { item: map === undefined ? (row as T) : map(row, lines[0]!.number) };
    } catch (cause) {
      return { error: this.error(lines, `cannot be made an item (${(cause as Error).message})`, cause) };
    }
  }

  /** Undefined when the text is not one record. */
  private parse(text: string): string[] | undefined {
    try {
      const rows = this.parseRecords(text);
      return rows.length === 1 ? rows[0] : undefined;
    } catch {
      return undefined;
    }
  }

  private parseRecords(text: string): string[][] {
    const { delimiter = ',', quote = '"' } = this.options;
    return this.csv!.parse(text, { delimiter, quote, escape: quote, record_delimiter: '\n', relax_column_count: true });
  }

  /** The lines of one record. What is within quotes keeps its newlines as they are. */
  private textOf(lines: readonly Line[]): string {
    return lines
      .map(({ bytes, terminator }, index) => this.decode(bytes) + (index < lines.length - 1 ? terminator : ''))
      .join('');
  }

  private error(lines: readonly Line[], fault: string, cause?: unknown): FlatFileParseError {
    return new FlatFileParseError(this.resource, lines[0]!.number, this.quote(lines[0]!), fault, { cause });
  }
}

const latin1 = (text: string): string => Buffer.from(text).toString('latin1');
