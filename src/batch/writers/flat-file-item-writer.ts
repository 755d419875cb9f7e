import type * as CsvStringify from 'csv-stringify/sync';
import type { ExecutionContext } from '../model/execution-context.js';
import { optionalPackage } from '../optional-package.js';
import { FileItemWriter, type FileItemWriterOptions } from './file-item-writer.js';

export interface FlatFileItemWriterOptions<T> extends FileItemWriterOptions {
  /** Names of the columns, in order. */
  columns: readonly string[];
  /** Default: a comma. */
  delimiter?: string;
  /** Put around values that need it, and doubled within them. Default: `"`. */
  quote?: string;
  /** True: the names are the first line. Default: false. */
  namesAsHeader?: boolean;
  /** The values by column. Default: the item itself. */
  map?: (item: T) => object;
}

/** Writes a delimited file, such as CSV. Null and undefined are empty; dates are in ISO 8601, objects in JSON. */
export class FlatFileItemWriter<T> extends FileItemWriter<T> {
  private csv: typeof CsvStringify | undefined;

  constructor(private readonly options: FlatFileItemWriterOptions<T>) {
    super(options);
  }

  /** @throws BatchError RESOURCE_NOT_FOUND, RESOURCE_CHANGED, PACKAGE_MISSING */
  override async open(context: ExecutionContext): Promise<void> {
    this.csv = await optionalPackage('csv-stringify', 'FlatFileItemWriter', () => import('csv-stringify/sync'));
    await super.open(context);
  }

  protected toText(items: readonly T[]): string {
    const { map = (item: T) => item as object } = this.options;
    return this.toLines(
      items.map((item) => {
        const values = new Map<string, unknown>(Object.entries(map(item)));
        return this.options.columns.map((column) => values.get(column));
      }),
    );
  }

  protected override ownHeader(): string | undefined {
    if (this.options.namesAsHeader !== true) return undefined;
    return this.toLines([this.options.columns]).slice(0, -this.lineEnd.length);
  }

  private toLines(rows: readonly (readonly unknown[])[]): string {
    const { delimiter = ',', quote = '"' } = this.options;
    return this.csv!.stringify([...rows] as unknown[][], {
      delimiter,
      quote,
      escape: quote,
      record_delimiter: this.lineEnd,
      cast: { boolean: String, date: (date) => date.toISOString() },
      // A reader would leave out the empty line of one empty value.
      quoted_empty: this.options.columns.length === 1,
      // Some readers end a record there too.
      quoted_match: /[\r\n]/,
    });
  }
}
