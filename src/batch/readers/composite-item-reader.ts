import { asStream } from '../chunk/delegate-streams.js';
import type { ItemContext, ItemReader, ItemStream } from '../chunk/item.js';
import { InvalidJobDefinitionError } from '../model/batch-error.js';
import type { ExecutionContext } from '../model/execution-context.js';
import type { StepScope } from '../step/step-scope.js';

/** Reads one reader after the other. Only the one that is read is open. After a restart the readers must be the same. */
export class CompositeItemReader<T, Tx = unknown> implements ItemReader<T, Tx>, ItemStream {
  private current = 0;
  private isOpen = false;
  private begun: { context: ExecutionContext; scope: StepScope } | undefined;

  constructor(
    private readonly readers: readonly ItemReader<T, Tx>[],
    /** Names its part of the context. Default: `reader`. */
    readonly name?: string,
  ) {}

  async open(context: ExecutionContext, scope: StepScope): Promise<void> {
    this.begun = { context, scope };
    this.current = context.get<number>('current') ?? 0;
    await this.openCurrent();
  }

  async read(context: ItemContext<Tx>): Promise<T | null> {
    while (this.current < this.readers.length) {
      // A reader that could not be opened is tried again, or the items of it would be lost.
      if (!this.isOpen) await this.openCurrent();
      const item = await this.readers[this.current]!.read(context);
      if (item !== null) return item;
      await this.close();
      this.current += 1;
    }
    return null;
  }

  async update(context: ExecutionContext): Promise<void> {
    context.put('current', this.current);
    if (this.isOpen) await this.stream()?.update?.(context.of(String(this.current)));
  }

  /** Each reader counts the same, however much it has to read. Undefined unless every one of them says how far it is. */
  progress(): number | undefined {
    const { length } = this.readers;
    if (!this.readers.every((reader) => asStream(reader).progress !== undefined)) return undefined;
    if (this.current >= length) return 1;
    const share = this.isOpen ? this.stream()!.progress!() : 0;
    return share === undefined ? undefined : (this.current + share) / length;
  }

  async close(): Promise<void> {
    if (!this.isOpen) return;
    this.isOpen = false;
    await this.stream()?.close?.();
  }

  private async openCurrent(): Promise<void> {
    if (this.begun === undefined) throw new InvalidJobDefinitionError('The composite reader is not open');
    const stream = this.stream();
    if (stream === undefined) return;
    const { context, scope } = this.begun;
    try {
      await stream.open?.(context.of(String(this.current)), scope);
      this.isOpen = true;
    } catch (error) {
      await stream.close?.();
      throw error;
    }
  }

  private stream(): ItemStream | undefined {
    const reader = this.readers[this.current];
    return reader && asStream(reader);
  }
}
