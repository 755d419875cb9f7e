import type { MessageProperties } from 'amqplib';
import { ownValue } from '../values/own-value.js';

/** The header with the first sender of a message that the service, or an operator with its login, sent again. */
export const SENDER_HEADER = 'x-batch-user-id';

/**
 * The broker's user who sent a message. The broker has checked `user_id` against the connection. Anybody may have
 * written the header, so it counts only in messages that were sent with the service's own login.
 *
 * @param serviceUser the user with which the service is connected
 */
export function senderOf(properties: MessageProperties, serviceUser: string): string | undefined {
  const { userId, headers } = properties as { userId?: unknown; headers?: Record<string, unknown> };
  if (typeof userId !== 'string' || userId === '') return undefined;
  const first = userId === serviceUser ? ownValue(headers ?? {}, SENDER_HEADER) : undefined;
  return typeof first === 'string' && first !== '' ? first : userId;
}

/** The user that a broker's URL logs in as. */
export function userOf(url: string): string {
  // As in the library.
  return decodeURIComponent(new URL(url).username) || 'guest';
}
