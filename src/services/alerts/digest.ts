import { groupBy } from '../values/group-by.js';
import type { AlertMessage } from './alert-message.js';
import type { DueDelivery } from './alerts.sql.js';

/** Up to so many alerts of one rule that begin at once have a message each. */
const MOST_SINGLE = 5;

/**
 * Puts due messages of one channel together: those of one rule that one evaluation has made, of the same event, if they are more than
 * five. A fault of the database blocks many lanes at once, and an operator needs one message of it.
 *
 * @returns in the order of the messages
 */
export function toDigests(due: readonly DueDelivery[]): DueDelivery[][] {
  const groups = groupBy(due, ({ rule, event, createdAt }) => JSON.stringify([rule, event, createdAt]));
  return [...groups.values()].flatMap((group) =>
    group.length > MOST_SINGLE ? [group] : group.map((delivery) => [delivery]),
  );
}

/** @param deliveries one, or those of a digest */
export function toMessage(deliveries: readonly DueDelivery[], name: string): AlertMessage {
  const [first] = deliveries as readonly [DueDelivery, ...DueDelivery[]];
  const { id, event, rule, createdAt: at } = first;
  const subjects = deliveries.map(({ subject }) => subject);
  const common = { id, name, event, rule, subjects, at };
  if (deliveries.length === 1) {
    const { subject, title, text, firstAt } = first;
    return { ...common, subject, title, text, firstAt };
  }
  const firstAt = new Date(Math.min(...deliveries.map((delivery) => delivery.firstAt.getTime())));
  return {
    ...common,
    ...{ subject: '', firstAt },
    title: `${deliveries.length} alerts: ${first.title}, and ${deliveries.length - 1} more`,
    text: [...deliveries.map(({ title }) => `- ${title}`), 'GET /api/v1/alerts shows each of them.'].join('\n'),
  };
}
