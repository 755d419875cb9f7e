import { TextDecoder } from 'node:util';
import type { ItemReader, ItemStream } from '../chunk/item.js';
import type { Awaitable } from '../awaitable.js';
import { InvalidJobDefinitionError } from '../model/batch-error.js';
import type { ExecutionContext } from '../model/execution-context.js';
import { LineSource, type Line, type LinePosition } from './line-source.js';

export interface LineItemReaderOptions {
  /** Names its part of the context. Default: `reader`. */
  name?: string;
  /** The path of the file. */
  resource: string;
  /** Any that `TextDecoder` knows, but for UTF-16. Default: `utf-8`. */
  encoding?: string;
  /** A longer item is an error of its first line. Default: 1 MiB. */
  maxItemBytes?: number;
}

/** What became of one or more lines, and where they end. */
export interface LineResult<T> {
  result: { item: T } | { error: Error };
  last: Line;
}

const DEFAULT_MAX_ITEM_BYTES = 1024 * 1024;
const START: LinePosition = { offset: 0, line: 0 };

/**
 * Reads a file line by line. It holds a block of the file and the items in it. Its position is the byte after the last line
 * that was given out, so a restart seeks and reads nothing twice. What lines mean is left to the subclasses.
 */
export abstract class LineItemReader<T> implements ItemReader<T>, ItemStream {
  readonly name?: string;
  protected readonly resource: string;
  protected readonly maxItemBytes: number;
  private readonly decoder: TextDecoder;
  private source: LineSource | undefined;
  private position = START;
  private results: LineResult<T>[] = [];
  private next = 0;

  constructor({ name, resource, encoding = 'utf-8', maxItemBytes = DEFAULT_MAX_ITEM_BYTES }: LineItemReaderOptions) {
    this.name = name;
    this.resource = resource;
    this.maxItemBytes = maxItemBytes;
    this.decoder = decoderFor(encoding);
  }

  /** @throws BatchError RESOURCE_NOT_FOUND; RESOURCE_CHANGED when the file is shorter than before the restart */
  async open(context: ExecutionContext): Promise<void> {
    this.position = { offset: context.get<number>('offset') ?? 0, line: context.get<number>('line') ?? 0 };
    this.results = [];
    this.next = 0;
    this.source = await LineSource.open(this.resource, this.maxItemBytes, this.position);
  }

  read(): Awaitable<T | null> {
    return this.next < this.results.length ? this.give() : this.readOn();
  }

  update(context: ExecutionContext): void {
    context.put('offset', this.position.offset);
    context.put('line', this.position.line);
  }

  /** By bytes. */
  progress(): number | undefined {
    if (this.source === undefined) return undefined;
    const { size } = this.source;
    return size === 0 ? 1 : this.position.offset / size;
  }

  async close(): Promise<void> {
    await this.source?.close();
    this.source = undefined;
  }

  /**
   * What the lines mean. Lines may be kept for the next call.
   *
   * @param atEnd true when no more lines follow
   */
  protected abstract interpret(lines: readonly Line[], atEnd: boolean): LineResult<T>[];

  /** @throws TypeError when bytes are none of the encoding */
  protected decode(bytes: Uint8Array): string {
    return this.decoder.decode(bytes);
  }

  /** For messages: what cannot be decoded is replaced. */
  protected quote({ bytes }: Line): string {
    return bytes.toString('utf8', 0, 1000);
  }

  private async readOn(): Promise<T | null> {
    return (await this.fill()) ? this.give() : null;
  }

  /** Reads until there is something to give. False at the end of the file. */
  protected async fill(): Promise<boolean> {
    if (this.source === undefined) throw new InvalidJobDefinitionError(`The reader of "${this.resource}" is not open`);
    while (this.next >= this.results.length) {
      const lines = await this.source.next();
      this.results = this.interpret(lines ?? [], lines === null);
      this.next = 0;
      if (lines === null && this.results.length === 0) return false;
    }
    return true;
  }

  /** A restart goes on behind this line. */
  protected passed({ end, number }: Line): void {
    this.position = { offset: end, line: number };
  }

  private give(): T {
    const { result, last } = this.results[this.next++]!;
    this.passed(last);
    if ('error' in result) throw result.error;
    return result.item;
  }
}

function decoderFor(encoding: string): TextDecoder {
  if (/^(utf-?16|ucs-?2)/i.test(encoding)) {
    throw new InvalidJobDefinitionError(`Files in ${encoding} cannot be read by lines. Convert them to UTF-8.`);
  }
  try {
    // The mark at the beginning of a file is left out by its bytes. Elsewhere it is a character.
    return new TextDecoder(encoding, { fatal: true, ignoreBOM: true });
  } catch (error) {
    throw new InvalidJobDefinitionError(`"${encoding}" is no encoding that this Node.js knows: ${String(error)}`);
  }
}
