import { deadLetterQueue, parkedQueue } from '../../services/rabbitmq/topology.js';

/** Direct reply-to, and queues whose names the broker has generated: they belong to the connection that waits. */
const ALWAYS = ['amq.rabbitmq.reply-to*', 'amq.gen-*'];

/** The queues to which answers may be sent. */
export interface ReplyQueues {
  /** The queue of the service. */
  queue: string;
  /** Names of more queues, with stars. */
  replyTo: readonly string[];
}

/** The service has rights that a caller may lack, so it must not write into every queue that a caller names. */
export function isReplyQueue(name: string, { queue, replyTo }: ReplyQueues): boolean {
  if ([queue, deadLetterQueue(queue), parkedQueue(queue)].includes(name)) return false;
  return [...ALWAYS, ...replyTo].some((pattern) => matchesPattern(name, pattern));
}

/**
 * Whether a name matches a pattern in which each `*` stands for any characters, or none. Each part between two stars is
 * searched for once, from the end of the previous one. So the time is at most the product of both lengths.
 */
export function matchesPattern(name: string, pattern: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  const last = rest.pop();
  if (last === undefined) return name === pattern;
  if (!name.startsWith(first)) return false;
  let from = first.length;
  for (const part of rest) {
    const at = name.indexOf(part, from);
    if (at === -1) return false;
    from = at + part.length;
  }
  return name.length - last.length >= from && name.endsWith(last);
}
