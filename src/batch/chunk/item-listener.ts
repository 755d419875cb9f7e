import type { Awaitable } from '../awaitable.js';
import type { ItemContext } from './item.js';

/**
 * Is told what becomes of single items. `before…` is called in the order of the listeners, `after…` and `on…` in the reverse order.
 * It is told once of each attempt at an item or a write. The engine may rehearse an attempt whose
 * transaction has many savepoints already: the processor or writer is called then, and its effects are undone, but no listener is told.
 * What a listener throws counts as an error of the item, or of the write, that it was told of. What an `onSkip…` throws fails the attempt
 * at the chunk.
 */
export interface ItemListener<I, O, Tx = unknown> {
  beforeRead?(context: ItemContext<Tx>): Awaitable<void>;
  afterRead?(item: I, context: ItemContext<Tx>): Awaitable<void>;
  onReadError?(error: unknown, context: ItemContext<Tx>): Awaitable<void>;
  beforeProcess?(item: I, context: ItemContext<Tx>): Awaitable<void>;
  /** @param output null when the item is filtered out */
  afterProcess?(item: I, output: O | null, context: ItemContext<Tx>): Awaitable<void>;
  onProcessError?(item: I, error: unknown, context: ItemContext<Tx>): Awaitable<void>;
  beforeWrite?(items: readonly O[], context: ItemContext<Tx>): Awaitable<void>;
  /** Called with the items that are written. */
  afterWrite?(items: readonly O[], context: ItemContext<Tx>): Awaitable<void>;
  onWriteError?(error: unknown, items: readonly O[], context: ItemContext<Tx>): Awaitable<void>;
  /**
   * The three are called once for each item that is left out, in the transaction that commits the rest of its chunk. So what they
   * write through `context.tx` stays.
   */
  onSkipInRead?(error: unknown, context: ItemContext<Tx>): Awaitable<void>;
  onSkipInProcess?(item: I, error: unknown, context: ItemContext<Tx>): Awaitable<void>;
  onSkipInWrite?(item: O, error: unknown, context: ItemContext<Tx>): Awaitable<void>;
}

export type ItemEvent = keyof ItemListener<unknown, unknown>;

/** Calls the listeners that have the method, one after the other. Costs nothing where none has it. */
export class ItemListeners<I, O, Tx> {
  private readonly byEvent = new Map<ItemEvent, ItemListener<I, O, Tx>[]>();

  constructor(listeners: readonly ItemListener<I, O, Tx>[]) {
    for (const event of EVENTS) {
      const having = listeners.filter((listener) => listener[event] !== undefined);
      if (having.length > 0) this.byEvent.set(event, event.startsWith('before') ? having : having.reverse());
    }
  }

  get isEmpty(): boolean {
    return this.byEvent.size === 0;
  }

  /** Undefined when no listener has it. */
  tell<E extends ItemEvent>(
    event: E,
    ...args: Parameters<NonNullable<ItemListener<I, O, Tx>[E]>>
  ): Promise<void> | undefined {
    const listeners = this.byEvent.get(event);
    return listeners && tellEach(listeners, event, args);
  }
}

async function tellEach<I, O, Tx>(
  listeners: readonly ItemListener<I, O, Tx>[],
  event: ItemEvent,
  args: readonly unknown[],
): Promise<void> {
  for (const listener of listeners) {
    // Called on the listener, which may need its `this`.
    await (listener as Record<ItemEvent, (...given: readonly unknown[]) => Awaitable<void>>)[event](...args);
  }
}

const EVENTS: readonly ItemEvent[] = [
  'beforeRead',
  'afterRead',
  'onReadError',
  'beforeProcess',
  'afterProcess',
  'onProcessError',
  'beforeWrite',
  'afterWrite',
  'onWriteError',
  'onSkipInRead',
  'onSkipInProcess',
  'onSkipInWrite',
];
