import type { Line } from './line-source.js';
import { LineItemReader, type LineItemReaderOptions, type LineResult } from './line-item-reader.js';
import { JsonLineParseError } from './resource-errors.js';

export interface JsonLinesItemReaderOptions<T> extends LineItemReaderOptions {
  /** Makes the item of a line. Default: `JSON.parse`. What it throws is a `JsonLineParseError` of that line. */
  parse?: (text: string, lineNumber: number) => T;
}

/** Reads a file with one JSON value a line. Empty lines are left out. */
export class JsonLinesItemReader<T = unknown> extends LineItemReader<NoInfer<T>> {
  private readonly parse: (text: string, lineNumber: number) => T;

  constructor(options: JsonLinesItemReaderOptions<T>) {
    super(options);
    this.parse = options.parse ?? ((text) => JSON.parse(text) as T);
  }

  protected interpret(lines: readonly Line[]): LineResult<T>[] {
    return lines.filter(({ bytes }) => bytes.length > 0).map((line) => ({ last: line, result: this.toItem(line) }));
  }

  private toItem(line: Line): { item: T } | { error: Error } {
    if (line.isTooLong) return { error: this.error(line, `is longer than ${this.maxItemBytes} bytes`) };
    try {
      const item = this.parse(this.decode(line.bytes), line.number);
      // `null` would end the input.
      if (item === null) return { error: this.error(line, 'is null, which is no item') };
      return { item };
    } catch (cause) {
      return { error: this.error(line, `is no JSON (${String(cause)})`, cause) };
    }
  }

  private error(line: Line, fault: string, cause?: unknown): JsonLineParseError {
    return new JsonLineParseError(this.resource, line.number, this.quote(line), fault, { cause });
  }
}
