import type { IOperationsSettledMessage } from '../../interfaces/settled-event.js';

export const SETTLED_PUBLISHER = Symbol('SETTLED_PUBLISHER');

/** Where notifications go. */
export interface SettledPublisher {
  start(): Promise<void>;

  /**
   * Hands the messages over in this order and resolves when the receiving side has taken charge of every one of them, with
   * those that have no receiver: they were dropped.
   *
   * @throws when that is not certain for each of them; some may have arrived nevertheless.
   */
  publish(messages: readonly IOperationsSettledMessage[]): Promise<readonly IOperationsSettledMessage[]>;

  /**
   * `listener` is called when what `publish` was refused for is gone, as far as that is noticed without trying again.
   * Answers a function that ends the subscription.
   */
  onReady(listener: () => void): () => void;

  /** Also while `publish` is under way, which fails then. */
  stop(): Promise<void>;
}

/** Tells a repeated notification from a new one. */
export function messageIdOf({ data }: IOperationsSettledMessage): string {
  return `${data.chunkId}:${data.source}`;
}
