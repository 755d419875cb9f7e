import { settledEventKey, type IOperationsSettledMessage } from '../../interfaces/settled-event.js';

export const SETTLED_PUBLISHER = Symbol('SETTLED_PUBLISHER');

/** A message that the receiving side does not take, while it takes others. */
export interface RefusedMessage {
  message: IOperationsSettledMessage;
  /** In the words of the receiving side. */
  reason: string;
}

export interface Published {
  /** Those that have no receiver: they were dropped. */
  unrouted: readonly IOperationsSettledMessage[];
  /** At most one of a notification; the parts behind it were not sent, or will be sent again. */
  refused: readonly RefusedMessage[];
}

/** Where notifications go. */
export interface SettledPublisher {
  start(): Promise<void>;

  /**
   * Hands the messages over in this order and resolves when the receiving side has taken charge of every one of them, or has
   * refused it. Where it may be the receiving side's own trouble, a message counts as refused only if another one was taken.
   *
   * @param refusedBefore these messages were refused before: it is not waited for another one that is taken
   * @throws when that is not certain for each of them; some may have arrived nevertheless.
   */
  publish(messages: readonly IOperationsSettledMessage[], refusedBefore?: boolean): Promise<Published>;

  /**
   * `listener` is called when what `publish` was refused for is gone, as far as that is noticed without trying again.
   * Answers a function that ends the subscription.
   */
  onReady(listener: () => void): () => void;

  /** Also while `publish` is under way, which fails then. */
  stop(): Promise<void>;
}

/** Tells a repeated message from a new one. */
export function messageIdOf({ data }: IOperationsSettledMessage): string {
  return settledEventKey(data);
}

/** A chunk's notification for a source, of however many messages. */
export function notificationOf({ data }: IOperationsSettledMessage): string {
  return `${data.chunkId}:${data.source}`;
}
