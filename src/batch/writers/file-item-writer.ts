import { open, type FileHandle } from 'node:fs/promises';
import type { Awaitable } from '../awaitable.js';
import type { ItemContext, ItemStream, ItemWriter } from '../chunk/item.js';
import type { ExecutionContext } from '../model/execution-context.js';
import type { StepExecution } from '../model/step-execution.js';
import { cannotOpen, isShorter } from '../readers/resource-errors.js';

export interface FileItemWriterOptions {
  /** Names its part of the context. Default: `writer`. */
  name?: string;
  /** The path of the file. A first start replaces the file. */
  resource: string;
  /** Default: `\n`. */
  lineEnd?: string;
  /** The text before the first item, without its line end. */
  header?: () => Awaitable<string>;
  /** The text after the last item, without its line end. It is written when the step is complete. */
  footer?: (execution: StepExecution) => Awaitable<string>;
}

/**
 * Writes items to a file, in UTF-8. A file has no transaction, so the position after each commit is kept in the context: a restart cuts
 * off what was not committed. What is written is on the disk before the commit.
 */
export abstract class FileItemWriter<T> implements ItemWriter<T>, ItemStream {
  readonly name?: string;
  protected readonly lineEnd: string;
  private readonly resource: string;
  private readonly header: FileItemWriterOptions['header'];
  private readonly footer: FileItemWriterOptions['footer'];
  private file: FileHandle | undefined;
  /** The byte to write next. What the file has behind it counts for nothing. */
  private position = 0;
  /** The attempt that wrote last, and where its chunk begins. */
  private chunk = { commitCount: -1, retries: 0, start: 0 };

  constructor({ name, resource, lineEnd = '\n', header, footer }: FileItemWriterOptions) {
    this.name = name;
    this.resource = resource;
    this.lineEnd = lineEnd;
    this.header = header;
    this.footer = footer;
  }

  /** @throws BatchError RESOURCE_NOT_FOUND; RESOURCE_CHANGED when the file has less than was committed */
  async open(context: ExecutionContext): Promise<void> {
    const saved = context.get<number>('position');
    this.chunk = { commitCount: -1, retries: 0, start: 0 };
    this.file = await this.openFile(saved === undefined ? 'w' : 'r+');
    this.position = saved ?? 0;
    if (saved === undefined) {
      const header = this.header === undefined ? this.ownHeader() : await this.header();
      if (header !== undefined) await this.append(header + this.lineEnd);
      return;
    }
    const { size } = await this.file.stat();
    if (size < saved) throw isShorter(this.resource, size, saved);
    await this.file.truncate(saved);
  }

  async write(items: readonly T[], context: ItemContext): Promise<void> {
    // Before anything is written: an item that cannot be a line changes nothing.
    const text = this.toText(items);
    this.beginAttempt(context);
    const before = this.position;
    await this.append(text);
    context.onUndo?.(() => (this.position = before));
  }

  async update(context: ExecutionContext): Promise<void> {
    await this.settle();
    context.put('position', this.position);
  }

  async close(): Promise<void> {
    await this.file?.close();
    this.file = undefined;
  }

  /** Writes the footer. It is told of the end after `close`. */
  async afterStep(execution: StepExecution): Promise<void> {
    if (this.footer === undefined || execution.status !== 'COMPLETED') return;
    const text = await this.footer(execution);
    this.file = await this.openFile('r+');
    try {
      await this.append(text + this.lineEnd);
      await this.settle();
    } finally {
      await this.close();
    }
  }

  /** The lines of the items, each with its end. */
  protected abstract toText(items: readonly T[]): string;

  /** The header where the options have none. */
  protected ownHeader(): string | undefined {
    return undefined;
  }

  private openFile(flags: string): Promise<FileHandle> {
    return open(this.resource, flags).catch((error: unknown) => {
      throw cannotOpen(this.resource, error);
    });
  }

  /** A new attempt at the same chunk begins where the one before it began. */
  private beginAttempt({ execution: { commitCount }, retries }: ItemContext): void {
    if (commitCount !== this.chunk.commitCount) {
      this.chunk = { commitCount, retries, start: this.position };
    } else if (retries !== this.chunk.retries) {
      this.position = this.chunk.start;
      this.chunk.retries = retries;
    }
  }

  private async append(text: string): Promise<void> {
    const bytes = Buffer.from(text);
    let written = 0;
    while (written < bytes.length) {
      const { bytesWritten } = await this.file!.write(bytes, written, bytes.length - written, this.position + written);
      written += bytesWritten;
    }
    this.position += bytes.length;
  }

  /** Leaves nothing behind the position, and waits for the disk. */
  private async settle(): Promise<void> {
    await this.file!.truncate(this.position);
    await this.file!.sync();
  }
}
