import type { MessageProperties } from 'amqplib';
import { ownValue } from '../values/own-value.js';

/** Who sent a message first that the service, or an operator with the service's own login, has sent again. */
export const SENDER_HEADER = 'x-batch-user-id';

/**
 * The user of the broker who sent a message. The broker has checked `user_id` against the connection; the header may have been
 * written by anybody, so it counts only in what was sent with the service's own login.
 *
 * @param serviceUser the user under whom the service is connected
 */
export function senderOf(properties: MessageProperties, serviceUser: string): string | undefined {
  const { userId, headers } = properties as { userId?: unknown; headers?: Record<string, unknown> };
  if (typeof userId !== 'string' || userId === '') return undefined;
  const first = userId === serviceUser ? ownValue(headers ?? {}, SENDER_HEADER) : undefined;
  return typeof first === 'string' && first !== '' ? first : userId;
}

/** The user that a URL of a broker logs in as. */
export function userOf(url: string): string {
  // As the library has it.
  return decodeURIComponent(new URL(url).username) || 'guest';
}
