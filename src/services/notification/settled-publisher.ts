import { settledEventKey, type IOperationsSettledMessage } from '../../interfaces/settled-event.js';
import type { NotificationKey } from './notification.sql.js';

export const SETTLED_PUBLISHER = Symbol('SETTLED_PUBLISHER');

/** A message that the receiving side does not accept, while it accepts others. */
export interface RefusedMessage {
  message: IOperationsSettledMessage;
  /** The reason as the receiving side gave it. */
  reason: string;
}

export interface Published {
  /** The messages that had no receiver. They were dropped. */
  unrouted: readonly IOperationsSettledMessage[];
  /** At most one message of each notification. Its later parts were not sent, or will be sent again. */
  refused: readonly RefusedMessage[];
}

/** How messages are to be sent. */
export interface PublishOptions {
  /** These messages were refused before, so no other message has to be accepted. */
  refusedBefore: boolean;
  /** What a message carries beside its contents, where the transport has headers. */
  headersOf?: ((message: IOperationsSettledMessage) => Readonly<Record<string, string>> | undefined) | undefined;
}

export interface SettledPublisher {
  start(): Promise<void>;

  /**
   * Sends the messages in this order. Resolves when the receiving side has accepted or refused each of them. If the
   * cause may be a problem of the receiving side, a message counts as refused only if another message was accepted.
   *
   * @throws when the result is not certain for every message; some may have arrived
   */
  publish(messages: readonly IOperationsSettledMessage[], options?: PublishOptions): Promise<Published>;

  /** May be called while `publish` runs. Then `publish` fails. */
  stop(): Promise<void>;
}

/** Identifies a message: a repeated one has the same id. */
export function messageIdOf({ data }: IOperationsSettledMessage): string {
  return settledEventKey(data);
}

/** Identifies a chunk's notification for a source, which may have several messages. */
export function notificationOf({ data }: { data: NotificationKey }): string {
  return `${data.chunkId}:${data.source}`;
}
