import type { Line } from './line-source.js';
import { LineItemReader, type LineItemReaderOptions, type LineResult } from './line-item-reader.js';
import { FlatFileParseError } from './resource-errors.js';

/** A name, and the first and the last character, counted from 1. */
export type FixedWidthColumn<Column extends string = string> = readonly [name: Column, from: number, to: number];

export interface FixedWidthItemReaderOptions<Column extends string, T> extends LineItemReaderOptions {
  columns: readonly FixedWidthColumn<Column>[];
  /** Lines at the beginning of the file. Default: 0. */
  linesToSkip?: number;
  /** Lines that begin so are left out. */
  commentPrefix?: string;
  /** True: the spaces around a value are left out. Default: true. */
  trim?: boolean;
  /** True: each line has the length of the layout; spaces may follow. Default: true. */
  strict?: boolean;
  /** Makes the item. Default: the row itself. What it throws is a `FlatFileParseError` of that line. */
  map?: (row: Record<Column, string>, lineNumber: number) => T;
}

/** Reads a file whose columns stand at fixed places of a line. Empty lines are left out. */
export class FixedWidthItemReader<Column extends string = string, T = Record<Column, string>> extends LineItemReader<
  NoInfer<T>
> {
  private readonly width: number;

  constructor(private readonly options: FixedWidthItemReaderOptions<Column, T>) {
    super(options);
    this.width = Math.max(...options.columns.map(([, , to]) => to));
  }

  protected interpret(lines: readonly Line[]): LineResult<T>[] {
    const { linesToSkip = 0 } = this.options;
    return lines
      .filter(({ bytes, number }) => bytes.length > 0 && number > linesToSkip)
      .flatMap((line) => {
        const result = this.toItem(line);
        return result === undefined ? [] : [{ last: line, result }];
      });
  }

  /** Undefined for a comment. */
  private toItem(line: Line): LineResult<T>['result'] | undefined {
    const { commentPrefix, columns, trim = true, map } = this.options;
    if (line.isTooLong) return { error: this.error(line, `is longer than ${this.maxItemBytes} bytes`) };
    try {
      const text = this.decode(line.bytes);
      if (commentPrefix !== undefined && text.startsWith(commentPrefix)) return undefined;
      const fault = this.faultOf(text);
      if (fault !== undefined) return { error: this.error(line, fault) };
      const values = columns.map(([name, from, to]) => {
        const value = characters(text, from - 1, to);
        return [name, trim ? value.trim() : value];
      });
      const row = Object.fromEntries(values) as Record<Column, string>;
      return { item: map === undefined ? (row as T) : map(row, line.number) };
    } catch (cause) {
      return { error: this.error(line, `cannot be made an item (${String(cause)})`, cause) };
    }
  }

  private faultOf(text: string): string | undefined {
    if (this.options.strict === false) return undefined;
    const length = SURROGATE.test(text) ? Array.from(text).length : text.length;
    if (length < this.width) return `has ${length} characters instead of ${this.width}`;
    if (characters(text, this.width, length).trim() !== '') return `has more than ${this.width} characters`;
    return undefined;
  }

  private error(line: Line, fault: string, cause?: unknown): FlatFileParseError {
    return new FlatFileParseError(this.resource, line.number, this.quote(line), fault, { cause });
  }
}

const SURROGATE = /[\ud800-\udfff]/;

/** As `slice`, but of characters: some have two units. */
const characters = (text: string, from: number, to: number): string =>
  SURROGATE.test(text) ? Array.from(text).slice(from, to).join('') : text.slice(from, to);
