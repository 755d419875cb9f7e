import { FileItemWriter, type FileItemWriterOptions } from './file-item-writer.js';

export interface JsonLinesItemWriterOptions<T> extends FileItemWriterOptions {
  /** What is written of an item. Default: the item itself. */
  map?: (item: T) => unknown;
}

/** Writes one JSON value a line. */
export class JsonLinesItemWriter<T> extends FileItemWriter<T> {
  private readonly map: (item: T) => unknown;

  constructor(options: JsonLinesItemWriterOptions<T>) {
    super(options);
    this.map = options.map ?? ((item) => item);
  }

  protected toText(items: readonly T[]): string {
    return items.map((item) => toJson(this.map(item)) + this.lineEnd).join('');
  }
}

function toJson(value: unknown): string {
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) throw new TypeError(`A ${typeof value} cannot be written as JSON`);
  return text;
}
