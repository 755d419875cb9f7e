import { matchesPattern } from '../../services/rabbitmq/matches-pattern.js';
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
